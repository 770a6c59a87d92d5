// The option input_shape.NAME=1,3,224,224: sizes that the user fixes for an input whose model
// leaves them open; -1 keeps an axis open. The same for every importer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::import {

inline constexpr std::string_view kInputShapeOption = "input_shape.";

using InputShapes = std::map<std::string, std::vector<int64_t>>;

// By input name. Refuses what is not a list of whole numbers >= -1.
base::Result<InputShapes> input_shapes(const tensor::Options& options);
// Refuses shapes for inputs that are not among `inputs`, and those that contradict what is
// declared.
base::Status check_input_shapes(const InputShapes& shapes,
                                const std::vector<tensor::TensorInfo>& inputs);

}  // namespace supernova::import
