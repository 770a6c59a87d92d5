#include "conformance/report.h"

#include <algorithm>
#include <cmath>

#include "base/json_writer.h"
#include "base/text.h"

namespace supernova::conformance {
namespace {

// Counts up where a field changes its meaning; tools/support_tables reads it.
constexpr int kReportFormat = 1;

constexpr Outcome kOutcomes[] = {Outcome::kPassed, Outcome::kFellBack, Outcome::kRefused,
                                 Outcome::kSkipped, Outcome::kFailed};

std::vector<std::string> groups_of(const Report& report) {
  std::vector<std::string> groups;
  for (const CaseResult& result : report.results) {
    if (std::find(groups.begin(), groups.end(), result.group) == groups.end()) {
      groups.push_back(result.group);
    }
  }
  return groups;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string row(const std::string& name, const std::vector<std::string>& cells) {
  std::string line = padded(name, 14);
  for (const std::string& cell : cells) line += padded("  " + cell, 12);
  while (line.back() == ' ') line.pop_back();
  return line + "\n";
}

std::string row(const Report& report, const std::string& name, std::string_view group) {
  std::vector<std::string> cells;
  for (const Outcome outcome : kOutcomes) {
    const size_t count = report.count(outcome, group);
    cells.push_back(count == 0 ? "-" : std::to_string(count));
  }
  return row(name, cells);
}

void member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  base::append_json_string(out, name);
  out += ':';
  base::append_json_string(out, value);
}

}  // namespace

size_t Report::count(Outcome outcome, std::string_view group) const {
  return static_cast<size_t>(
      std::count_if(results.begin(), results.end(), [&](const CaseResult& result) {
        return result.outcome == outcome && (group.empty() || result.group == group);
      }));
}

bool Report::ok() const {
  return count(Outcome::kFailed) == 0 &&
         std::any_of(results.begin(), results.end(), [](const CaseResult& result) {
           return result.outcome == Outcome::kPassed && result.proves_a_run;
         });
}

std::string Report::first(Outcome outcome) const {
  for (const CaseResult& result : results) {
    if (result.outcome == outcome) return result.detail;
  }
  return "";
}

std::map<std::string, Taken> Report::operators() const {
  std::map<std::string, Taken> all;
  for (const CaseResult& result : results) {
    for (const auto& [name, one] : result.operators) {
      all[name].taken += one.taken;
      all[name].left += one.left;
    }
  }
  return all;
}

namespace {

// "ADD 12, MUL 3 of 5"; "" = none.
std::string taken_text(const Report& report) {
  std::vector<std::string> texts;
  for (const auto& [name, one] : report.operators()) {
    if (one.taken == 0) continue;
    texts.push_back(base::str_cat(name, " ", one.taken,
                                  one.left > 0 ? base::str_cat(" of ", one.taken + one.left) : ""));
  }
  return base::str_join(texts, ", ");
}

// As where the engine's library is missing.
bool have_one_detail(const Report& report, Outcome outcome) {
  constexpr size_t kFew = 3;
  const std::string detail = report.first(outcome);
  return report.count(outcome) > kFew &&
         std::all_of(report.results.begin(), report.results.end(), [&](const CaseResult& result) {
           return result.outcome != outcome || result.detail == detail;
         });
}

}  // namespace

std::string to_text(const Report& report) {
  const std::string& model = report.device.model;
  std::string out = base::str_cat(
      "engine ", report.engine, " ", report.engine_version, " (", report.isolation, ") on ",
      report.device.id, model.empty() ? "" : base::str_cat(" (", model, ")"),
      report.device.driver.empty()
          ? ""
          : base::str_cat(", driver ", report.device.driver, " ", report.device.driver_version),
      report.delegate.empty() ? "" : base::str_cat(", through the delegate ", report.delegate),
      "\n\n");
  std::vector<std::string> names;
  for (const Outcome outcome : kOutcomes) names.emplace_back(outcome_name(outcome));
  out += row("", names);
  for (const std::string& group : groups_of(report)) out += row(report, group, group);
  out += row(report, "all", "");
  for (const Outcome outcome :
       {Outcome::kFailed, Outcome::kRefused, Outcome::kFellBack, Outcome::kSkipped}) {
    if (report.count(outcome) == 0) continue;
    out += base::str_cat("\n", outcome_name(outcome), ":\n");
    if (have_one_detail(report, outcome)) {
      out += base::str_cat("  all ", report.count(outcome), ": ", report.first(outcome), "\n");
      continue;
    }
    for (const CaseResult& result : report.results) {
      if (result.outcome != outcome) continue;
      out += base::str_cat("  ", result.group, ": ", result.name, ": ", result.detail, "\n");
    }
  }
  if (!report.delegate.empty()) {
    const std::string taken = taken_text(report);
    out += base::str_cat("\noperators that ", report.delegate, " took:\n  ",
                         taken.empty() ? "none" : taken, "\n");
  }
  return out;
}

std::string to_json(const Report& report) {
  std::string out = base::str_cat("{\"format\":", kReportFormat);
  member(out, "program_version", report.program_version);
  member(out, "date", report.date);
  member(out, "engine", report.engine);
  member(out, "engine_version", report.engine_version);
  member(out, "isolation", report.isolation);
  member(out, "processor", report.processor);
  member(out, "architecture", report.architecture);
  member(out, "kernel", report.kernel);
  member(out, "filter", report.filter);
  out += base::str_cat(",\"reloads\":", report.reloads, ",\"options\":{");
  for (const auto& [key, value] : report.options) member(out, key, value);
  out += "}";
  if (!report.delegate.empty()) {
    out += ",\"delegate\":{";
    member(out, "library", report.delegate);
    out += ",\"operators\":[";
    for (const auto& [name, one] : report.operators()) {
      out += out.back() == '[' ? "{" : ",{";
      member(out, "operator", name);
      out += ",\"taken\":";
      base::append_json_number(out, static_cast<uint64_t>(one.taken));
      out += ",\"left\":";
      base::append_json_number(out, static_cast<uint64_t>(one.left));
      out += '}';
    }
    out += "]}";
  }
  out += ",\"device\":{";
  member(out, "id", report.device.id);
  member(out, "kind", report.device.kind);
  member(out, "model", report.device.model);
  member(out, "driver", report.device.driver);
  member(out, "driver_version", report.device.driver_version);
  out += ",\"vendor_id\":";
  base::append_json_number(out, static_cast<uint64_t>(report.device.vendor_id));
  out += ",\"product_id\":";
  base::append_json_number(out, static_cast<uint64_t>(report.device.product_id));
  out += ",\"memory_byte_size\":";
  base::append_json_number(out, report.device.memory_bytes);
  out += base::str_cat(",\"emulated\":", device::is_emulated(report.device) ? "true" : "false");
  out += "},\"counts\":{";
  for (const Outcome outcome : kOutcomes) {
    if (out.back() != '{') out += ',';
    base::append_json_string(out, outcome_name(outcome));
    out += ':';
    base::append_json_number(out, static_cast<uint64_t>(report.count(outcome)));
  }
  out += "},\"cases\":[";
  for (const CaseResult& result : report.results) {
    out += out.back() == '[' ? "\n{" : ",\n{";
    member(out, "group", result.group);
    member(out, "name", result.name);
    member(out, "outcome", outcome_name(result.outcome));
    if (!result.detail.empty()) member(out, "detail", result.detail);
    if (std::isfinite(result.difference)) {
      out += ",\"difference\":";
      base::append_json_number(out, result.difference);
    }
    out += '}';
  }
  return out + "\n]}\n";
}

}  // namespace supernova::conformance
