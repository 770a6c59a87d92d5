#include "placement_text.h"

#include <map>
#include <utility>

namespace supernova::apps {
namespace {

std::string milliseconds(uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f ms", static_cast<double>(ns) / 1e6);
  return text;
}

std::string mebibytes(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

void append_costs(std::string& out, const model::InstanceReport& instance) {
  std::vector<std::string> costs;
  const auto known = [&](uint64_t engine::Verdict::*figure) {
    return instance.opened.*figure != 0 ? instance.opened.*figure : instance.expected.*figure;
  };
  if (const uint64_t ns = known(&engine::Verdict::expected_latency_ns); ns != 0) {
    costs.push_back(base::str_cat(milliseconds(ns), " a run expected"));
  }
  if (instance.first_run_ns != 0) {
    costs.push_back(base::str_cat(milliseconds(instance.first_run_ns), " the first run"));
  }
  if (const uint64_t bytes = known(&engine::Verdict::host_memory_bytes); bytes != 0) {
    costs.push_back(base::str_cat(mebibytes(bytes), " memory"));
  }
  if (const uint64_t bytes = known(&engine::Verdict::device_memory_bytes); bytes != 0) {
    costs.push_back(base::str_cat(mebibytes(bytes), " of the device"));
  }
  if (!costs.empty()) out += base::str_cat("  costs     ", base::str_join(costs, ", "), "\n");
}

void append_instance(std::string& out, const model::PlacementReport& report,
                     const model::InstanceReport& instance) {
  out += base::str_cat("instance    ", instance.device);
  if (!instance.device_model.empty()) out += base::str_cat(" (", instance.device_model, ")");
  if (!instance.group.empty()) out += base::str_cat(", group ", instance.group);
  if (instance.limit > 0) out += base::str_cat(", ", instance.limit, " runs at once");
  out += "\n";
  append_costs(out, instance);
  std::map<std::string, std::vector<std::string>> by_place;
  for (const model::OperatorPlace& place : model::operators_of(report, instance)) {
    by_place[place.where].push_back(base::str_cat(place.op, ":", place.count));
  }
  for (const auto& [where, operators] : by_place) {
    out +=
        base::str_cat("  on ", where, where.size() < 7 ? std::string(7 - where.size(), ' ') : " ",
                      base::str_join(operators, " "), "\n");
  }
  // Engines name the nodes they do not take, but not always all of those they do.
  const bool only_cpu = by_place.size() == 1 && by_place.begin()->first == "CPU";
  if (!instance.cpu && instance.partly && only_cpu) {
    out += base::str_cat("  on ", instance.device, " the others\n");
  }
  for (const engine::NodePlacement& node : instance.fallback) {
    out += base::str_cat("  fell back ", node.op, node.node.empty() ? "" : " '", node.node,
                         node.node.empty() ? "" : "'", " to ", node.where,
                         node.reason.empty() ? "" : ": ", node.reason, "\n");
  }
  if (instance.partly && instance.fallback.empty()) {
    out += base::str_cat("  fell back ", model::fallback_text(instance), "\n");
  }
}

}  // namespace

std::string placement_text(const service::ModelPlacement& placement) {
  const model::PlacementReport& report = *placement.report;
  std::string out;
  if (!report.engine.empty()) {
    out += base::str_cat("engine      ", report.engine, " ", report.engine_version, ", ",
                         report.isolation, "\nopens       ", report.format,
                         report.source_format.empty() || report.source_format == report.format
                             ? ""
                             : base::str_cat(" (made from ", report.source_format, ")"),
                         "\nbecause     ", report.reason, "\n");
  }
  for (const model::InstanceReport& instance : report.instances) {
    append_instance(out, report, instance);
  }
  for (const engine::Rejection& rejected : report.rejected) {
    std::vector<std::string> what;
    for (const std::string* part : {&rejected.engine, &rejected.format, &rejected.device}) {
      if (!part->empty()) what.push_back(*part);
    }
    out += base::str_cat("not         ", base::str_join(what, ", "), ": ", rejected.reason, "\n");
  }
  for (const std::string& warning : report.warnings) {
    out += base::str_cat("warning     ", warning, "\n");
  }
  if (!report.failure.empty()) out += base::str_cat("fails       ", report.failure, "\n");
  return out;
}

}  // namespace supernova::apps
