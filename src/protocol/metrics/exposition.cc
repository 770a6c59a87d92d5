#include "protocol/metrics/exposition.h"

#include <cmath>

#include "base/text.h"

namespace supernova::protocol::metrics {
namespace {

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void append_label(std::string& text, std::string_view name, std::string_view value, bool first) {
  text += first ? '{' : ',';
  text += name;
  text += "=\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  text += '"';
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

}  // namespace

void Exposition::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  text_ += base::str_cat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type_name(type), "\n");
}

void Exposition::start_line(std::string_view suffix, const Labels& labels, const Extra& extra) {
  text_ += name_;
  text_ += suffix;
  bool first = true;
  for (const auto& [name, value] : labels) {
    append_label(text_, name, value, first);
    first = false;
  }
  if (!extra.first.empty()) {
    append_label(text_, extra.first, extra.second, first);
    first = false;
  }
  if (!first) text_ += '}';
  text_ += ' ';
}

void Exposition::write(std::string_view suffix, const Labels& labels, const Extra& extra,
                       uint64_t value) {
  start_line(suffix, labels, extra);
  base::append_text(text_, value);
  text_ += '\n';
}

void Exposition::write(std::string_view suffix, const Labels& labels, const Extra& extra,
                       double value) {
  start_line(suffix, labels, extra);
  if (std::isnan(value)) {
    text_ += "NaN";
  } else if (std::isinf(value)) {
    text_ += value > 0 ? "+Inf" : "-Inf";
  } else {
    base::append_text(text_, value);
  }
  text_ += '\n';
}

std::string label_name(std::string_view name) {
  std::string legal;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    legal += is_letter(c) || (digit && !legal.empty()) ? c : '_';
  }
  return legal.empty() ? "_" : legal;
}

}  // namespace supernova::protocol::metrics
