// Options of custom operators: one FlexBuffers map with numbers in it, read in place. The format:
// google.github.io/flatbuffers, "FlexBuffers".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::import::tflite {

// A lone number has one element.
using FlexMap = std::map<std::string, std::vector<double>>;
// The map's numbers, truth values and vectors of numbers by name; other values are left out.
base::Result<FlexMap> read_flex_map(std::string_view bytes);

}  // namespace supernova::import::tflite
