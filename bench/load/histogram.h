// Counts of durations in buckets whose width grows with the value (the idea of HdrHistogram): any
// value is kept to 1/128 of itself, in a fixed 37 KB, however many are recorded. A value;
// histograms of several threads are added up afterwards.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace supernova::bench {

class Histogram {
 public:
  using Duration = std::chrono::nanoseconds;

  // Negative durations count as 0, those beyond kLargest as kLargest.
  void record(Duration value);
  void add(const Histogram& other);

  uint64_t count() const { return count_; }
  // The least recorded value (to its bucket's upper edge) that `percent` of all do not exceed; the
  // largest for 100. Zero without values, as the others.
  Duration percentile(double percent) const;
  Duration least() const { return count_ == 0 ? Duration(0) : Duration(least_); }
  Duration largest() const { return Duration(largest_); }
  Duration mean() const;

  static constexpr Duration kLargest = std::chrono::hours(1);

 private:
  static constexpr int kBits = 7;  // 2^7 buckets for each doubling
  static constexpr int kDoublings = 36;
  static size_t bucket_of(uint64_t value);
  static uint64_t upper_edge(size_t bucket);

  std::array<uint64_t, (kDoublings + 1) << kBits> counts_{};
  uint64_t count_ = 0;
  uint64_t least_ = UINT64_MAX;
  uint64_t largest_ = 0;
  long double sum_ = 0;
};

}  // namespace supernova::bench
