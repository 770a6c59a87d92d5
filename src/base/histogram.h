// Counts of durations in buckets of a constant relative width (1/32 of their value, as HdrHistogram
// does it), so that quantiles are right to 1.6 %, sums exactly. Of fixed size: 9 KB. A value type,
// not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace supernova::base {

class Histogram {
 public:
  // Nanoseconds; what is longer than kLongest counts as that long, but goes into the sum as it is.
  static constexpr int kLongestBits = 38;
  static constexpr uint64_t kLongest = (uint64_t{1} << kLongestBits) - 1;  // 275 s

  void add(uint64_t ns);
  Histogram& operator+=(const Histogram& other);
  // What was added since `earlier`, a former state of this one.
  Histogram since(const Histogram& earlier) const;

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  // The value that a share `q` in [0, 1] of all values does not exceed; NaN when empty.
  double quantile(double q) const;
  // How many values are less than 2^bits. Exact.
  uint64_t count_below_power(int bits) const;

 private:
  static constexpr int kStepBits = 5;  // 32 buckets from one power of two to the next
  static constexpr size_t kSteps = size_t{1} << kStepBits;
  static constexpr size_t kBuckets = kSteps * (kLongestBits - kStepBits + 1);
  static size_t bucket_of(uint64_t ns);
  static double middle_of(size_t bucket);

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
};

}  // namespace supernova::base
