// Turns latencies that are counted since the start into those of the last one to one and a half
// minutes, by remembering what earlier scrapes saw. Not thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>

#include "model/statistics.h"

namespace supernova::protocol::metrics {

class LatencyWindow {
 public:
  using Point = std::chrono::steady_clock::time_point;
  // What came in since the latest scrape of `key` that is at least a minute old; where all are
  // younger, since the first.
  model::Latencies recent(const std::string& key, const model::Latencies& total, Point now);
  // Forgets keys that were not asked for since `since`.
  void forget_before(Point since);

 private:
  struct Seen {
    Point when;
    model::Latencies latencies;
  };
  struct History {
    std::deque<Seen> seen;  // half a minute or more apart
    Point asked;
  };
  std::map<std::string, History> histories_;
};

}  // namespace supernova::protocol::metrics
