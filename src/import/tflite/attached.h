// Files that came with the model: a zip archive whose entries follow the model in the same file, as
// the metadata of TensorFlow Lite puts label lists there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace supernova::import::tflite {

// Names of the entries; none where there is no archive or a damaged one.
std::vector<std::string> attached_files(std::string_view file);

}  // namespace supernova::import::tflite
