#include "import/tflite/window.h"

#include <algorithm>

namespace supernova::import::tflite {
namespace {
constexpr int64_t kMaxSize = 1 << 20;

bool is_sane(const std::vector<int64_t>& sizes) {
  return std::all_of(sizes.begin(), sizes.end(),
                     [](int64_t size) { return size > 0 && size <= kMaxSize; });
}
}  // namespace

std::pair<int64_t, int64_t> same_padding(int64_t size, int64_t kernel, int64_t stride,
                                         int64_t dilation) {
  const int64_t results = (size + stride - 1) / stride;
  const int64_t needed = (results - 1) * stride + (kernel - 1) * dilation + 1 - size;
  const int64_t total = std::max<int64_t>(needed, 0);
  return {total / 2, total - total / 2};
}

Attributes pooling_attributes(Context& c, const Window& window, const Dims& spatial) {
  Window undilated = window;
  undilated.dilations.assign(window.kernel.size(), 1);
  Attributes out = window_attributes(c, undilated, spatial);
  const auto sizes = graph::constant_dims(spatial);
  bool gaps = false;  // between windows: the runtime's SAME goes wrong there
  bool padded = false;
  for (size_t i = 0; i < window.kernel.size() && !c.b.failed(); ++i) {
    gaps |= window.kernel[i] < window.strides[i];
    if (sizes)
      padded |= same_padding((*sizes)[i], window.kernel[i], window.strides[i], 1).second > 0;
  }
  if (window.padding == Padding::kSame && (!sizes || (padded && gaps))) return out;
  std::erase_if(out, [](const auto& entry) { return entry.first == "pads"; });
  const bool same = window.padding == Padding::kSame && padded;
  out.emplace_back("auto_pad", std::string(same ? "SAME_UPPER" : "VALID"));
  return out;
}

Attributes window_attributes(Context& c, const Window& window, const Dims& spatial) {
  if (!is_sane(window.kernel) || !is_sane(window.strides) || !is_sane(window.dilations)) {
    c.b.fail("a window, stride or dilation is not positive or beyond reason");
    return {};
  }
  Attributes out{{"kernel_shape", window.kernel}, {"strides", window.strides}};
  const bool dilated = std::any_of(window.dilations.begin(), window.dilations.end(),
                                   [](int64_t dilation) { return dilation != 1; });
  if (dilated) out.emplace_back("dilations", window.dilations);
  // Single elements never need padding, which the runtime's SAME gets wrong with a stride.
  const bool single = std::all_of(window.kernel.begin(), window.kernel.end(),
                                  [](int64_t size) { return size == 1; });
  if (window.padding == Padding::kValid || single) return out;
  const auto sizes = graph::constant_dims(spatial);
  if (!sizes) {
    out.emplace_back("auto_pad", std::string("SAME_UPPER"));
    return out;
  }
  std::vector<int64_t> pads(2 * sizes->size());
  for (size_t i = 0; i < sizes->size(); ++i) {
    std::tie(pads[i], pads[sizes->size() + i]) =
        same_padding((*sizes)[i], window.kernel[i], window.strides[i], window.dilations[i]);
  }
  out.emplace_back("pads", pads);
  return out;
}

Dims spatial_dims(Context& c, size_t i, size_t count) {
  const auto rank = c.rank(i);
  if (!rank) return {};
  if (*rank != count + 2) {
    c.b.fail(base::str_cat("'", c.in_def(i).name, "' has ", *rank, " axes, not ", count + 2));
    return {};
  }
  const Dims& dims = c.stored(i)->dims();
  return {dims.begin() + 1, dims.end() - 1};
}

}  // namespace supernova::import::tflite
