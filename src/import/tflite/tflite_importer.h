// The importer of TensorFlow Lite files, for tests and fuzzers that have the bytes already.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "import/importer.h"

namespace supernova::import::tflite {

// The model in these bytes, which `owner` keeps alive; `file` names them in errors.
base::Result<tensor::ImportedModel> import_content(std::string_view content,
                                                   const std::shared_ptr<const void>& owner,
                                                   const std::string& file,
                                                   const tensor::Options& options = {});
std::unique_ptr<Importer> make_importer();

}  // namespace supernova::import::tflite
