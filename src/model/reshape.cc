#include "model/reshape.h"

#include <vector>

namespace supernova::model {
namespace {

// The number of elements of each run of known sizes: before, between and after the -1.
base::Result<std::vector<int64_t>> runs(std::span<const int64_t> shape) {
  std::vector<int64_t> counts;
  size_t begin = 0;
  for (size_t i = 0; i <= shape.size(); ++i) {
    if (i < shape.size() && shape[i] >= 0) continue;
    SN_ASSIGN(const int64_t count, tensor::element_count(shape.subspan(begin, i - begin)));
    counts.push_back(count);
    begin = i + 1;
  }
  return counts;
}

}  // namespace

base::Status check_reshape(std::span<const int64_t> from, std::span<const int64_t> to) {
  SN_ASSIGN(const std::vector<int64_t> here, runs(from));
  SN_ASSIGN(const std::vector<int64_t> there, runs(to));
  if (here == there) return {};
  return absl::InvalidArgumentError(
      base::str_cat(tensor::shape_to_string(from), " and ", tensor::shape_to_string(to),
                    " do not hold the same elements: both need as many -1, and as many elements "
                    "between them"));
}

base::Result<tensor::Shape> reshaped(std::span<const int64_t> actual, std::span<const int64_t> from,
                                     std::span<const int64_t> to) {
  const auto mismatch = [&] {
    return absl::InvalidArgumentError(base::str_cat("shape ", tensor::shape_to_string(actual),
                                                    " does not match ",
                                                    tensor::shape_to_string(from)));
  };
  if (!tensor::shape_matches(from, actual)) return mismatch();
  tensor::Shape result(to.begin(), to.end());
  size_t at = 0;
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] >= 0) continue;
    while (at < result.size() && to[at] >= 0) ++at;
    if (at == result.size()) return mismatch();
    result[at++] = actual[i];
  }
  return result;
}

}  // namespace supernova::model
