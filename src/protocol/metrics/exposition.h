// Writes Prometheus' text format, version 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats). A family is opened, then its samples
// follow. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace supernova::protocol::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

enum class MetricType { kCounter, kGauge, kSummary, kHistogram };

class Exposition {
 public:
  // Of the samples that follow. A family is opened once; one without samples may be left out.
  void family(std::string_view name, MetricType type, std::string_view help);
  void sample(const Labels& labels, uint64_t value) { write("", labels, {}, value); }
  void sample(const Labels& labels, double value) { write("", labels, {}, value); }
  // A line of a summary or histogram: the family's name plus `suffix`, and one more label.
  template <typename Number>
  void part(std::string_view suffix, const Labels& labels,
            const std::pair<std::string_view, std::string_view>& extra, Number value) {
    write(suffix, labels, extra, value);
  }
  std::string take() { return std::move(text_); }

 private:
  using Extra = std::pair<std::string_view, std::string_view>;
  void write(std::string_view suffix, const Labels& labels, const Extra& extra, uint64_t value);
  void write(std::string_view suffix, const Labels& labels, const Extra& extra, double value);
  void start_line(std::string_view suffix, const Labels& labels, const Extra& extra);

  std::string text_;
  std::string name_;
};

// The nearest name that Prometheus allows for a label: letters, digits and underscores.
std::string label_name(std::string_view name);

}  // namespace supernova::protocol::metrics
