// Changes to a model file at the level of its fields: what is not changed stays byte for byte as it
// is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/input_shapes.h"
#include "import/onnx/summary.h"
#include "import/onnx/zipmap.h"

namespace supernova::import::onnx {

struct Changes {
  std::vector<ZipMapPlan> zipmaps;  // become Identity, their outputs plain tensors
  // Inputs that have an initializer are no inputs any more.
  bool constant_initializers = false;
  InputShapes input_shapes;  // sizes to declare instead of the open ones
  bool any() const { return !zipmaps.empty() || constant_initializers || !input_shapes.empty(); }
};

// The changed model file; `summary` is that of `file`.
base::Result<std::string> rewrite(std::string_view file, const ModelSummary& summary,
                                  const Changes& changes);

}  // namespace supernova::import::onnx
