#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace supernova::base {

// Below 32 a bucket is one value. From there on the six leading bits of the value choose it: the
// position of the first, then the five that follow.
size_t Histogram::bucket_of(uint64_t ns) {
  const uint64_t value = std::min(ns, kLongest);
  if (value < kSteps) return value;
  const int shift = std::bit_width(value) - 1 - kStepBits;
  return (static_cast<size_t>(shift) << kStepBits) + (value >> shift);
}

double Histogram::middle_of(size_t bucket) {
  if (bucket < kSteps) return static_cast<double>(bucket);
  const auto shift = static_cast<int>(bucket >> kStepBits) - 1;
  const size_t leading = (bucket & (kSteps - 1)) + kSteps;
  return std::ldexp(static_cast<double>(leading) + 0.5, shift);
}

void Histogram::add(uint64_t ns) {
  ++counts_[bucket_of(ns)];
  ++count_;
  sum_ += ns;
}

Histogram& Histogram::operator+=(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  return *this;
}

Histogram Histogram::since(const Histogram& earlier) const {
  Histogram rest = *this;
  for (size_t i = 0; i < kBuckets; ++i) rest.counts_[i] -= earlier.counts_[i];
  rest.count_ -= earlier.count_;
  rest.sum_ -= earlier.sum_;
  return rest;
}

double Histogram::quantile(double q) const {
  if (count_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const double share = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
  const uint64_t rank = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return middle_of(i);
  }
  return static_cast<double>(kLongest);
}

uint64_t Histogram::count_below_power(int bits) const {
  if (bits >= kLongestBits) return count_;
  const size_t end =
      bits <= kStepBits ? size_t{1} << bits : static_cast<size_t>(bits - kStepBits + 1) * kSteps;
  uint64_t below = 0;
  for (size_t i = 0; i < end; ++i) below += counts_[i];
  return below;
}

}  // namespace supernova::base
