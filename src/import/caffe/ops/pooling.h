// Pooling with Caffe's rules, for the layers that are made of it.
#pragma once

#include <array>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {

struct PoolAxis {
  int64_t size = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t pad = 0;
  int64_t out = 0;
};
using PoolAxes = std::array<PoolAxis, 2>;  // height, width

// Takes away a last window that would start in the padding.
void clip_last_window(PoolAxes& axes);
Value* max_pool(LayerContext& ctx, Value* x, const PoolAxes& axes);
Value* average_pool(LayerContext& ctx, Value* x, const PoolAxes& axes);

}  // namespace supernova::import::caffe
