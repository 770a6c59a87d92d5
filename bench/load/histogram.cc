#include "load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace supernova::bench {

// Values below 2^kBits have a bucket each; of larger ones the kBits bits after the leading one say
// which of the doubling's buckets.
size_t Histogram::bucket_of(uint64_t value) {
  const int width = std::bit_width(value);
  if (width <= kBits) return value;
  const int shift = width - kBits - 1;
  return (static_cast<size_t>(shift + 1) << kBits) + ((value >> shift) - (1U << kBits));
}

uint64_t Histogram::upper_edge(size_t bucket) {
  if (bucket < (1U << kBits)) return bucket;
  const int shift = static_cast<int>(bucket >> kBits) - 1;
  const uint64_t low = (bucket & ((1U << kBits) - 1)) + (1U << kBits);
  return ((low + 1) << shift) - 1;
}

void Histogram::record(Duration value) {
  static_assert(static_cast<uint64_t>(kLargest.count()) < (uint64_t{1} << (kDoublings + kBits)));
  const auto nanoseconds =
      static_cast<uint64_t>(std::clamp<int64_t>(value.count(), 0, kLargest.count()));
  ++counts_[bucket_of(nanoseconds)];
  ++count_;
  least_ = std::min(least_, nanoseconds);
  largest_ = std::max(largest_, nanoseconds);
  sum_ += static_cast<long double>(nanoseconds);
}

void Histogram::add(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  least_ = std::min(least_, other.least_);
  largest_ = std::max(largest_, other.largest_);
  sum_ += other.sum_;
}

Histogram::Duration Histogram::percentile(double percent) const {
  if (count_ == 0) return Duration(0);
  const double wanted = std::ceil(std::clamp(percent, 0.0, 100.0) / 100 * double(count_));
  const auto rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) return Duration(std::clamp(upper_edge(i), least_, largest_));
  }
  return Duration(largest_);
}

Histogram::Duration Histogram::mean() const {
  if (count_ == 0) return Duration(0);
  return Duration(static_cast<int64_t>(sum_ / static_cast<long double>(count_)));
}

}  // namespace supernova::bench
