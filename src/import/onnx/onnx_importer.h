// ONNX models as they are: checked, described, and handed to the engine as a file; only ZipMap is
// taken out on the way (see zipmap.h). Stateless and thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "import/importer.h"

namespace supernova::import::onnx {

std::unique_ptr<Importer> make_importer();

// Imports the bytes of `file`; external data is looked for in the file's folder. Used by the
// importer, by tests and by the fuzzer.
base::Result<tensor::ImportedModel> import_content(std::string_view content,
                                                   const std::string& file,
                                                   const tensor::Options& options = {});

}  // namespace supernova::import::onnx
