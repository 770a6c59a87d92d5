// Options of custom operators: one FlexBuffers map with numbers in it, read in place. The format:
// google.github.io/flatbuffers, "FlexBuffers".
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::import::tflite {

// The map's numbers and truth values by name; other values are left out.
base::Result<std::map<std::string, double>> read_flex_map(std::string_view bytes);

}  // namespace supernova::import::tflite
