// The runtime's own format is a flatbuffer, which aligns weights to a few bytes. Kernels that read
// them in place want them to begin on a cache line, as what the runtime allocates does; else each
// load of a vector touches two lines (8 % of a convolution net's time).
#pragma once

#include <string>
#include <string_view>

namespace supernova::engine::onnxruntime {

// The same model with its large weights at multiples of 64 bytes, behind the rest. Where they were
// there are zeros, which a file need not store. As it was where it is not laid out as expected or
// would grow past what the format can address.
std::string align_weights(std::string_view model);

}  // namespace supernova::engine::onnxruntime
