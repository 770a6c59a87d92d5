// A model file is hostile input: importing any bytes gives a model or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "import/onnx/onnx_importer.h"
#include "import/onnx/recognise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace onnx = supernova::import::onnx;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  (void)onnx::is_model(content);
  const auto model = onnx::import_content(content, "/nonexistent/model.onnx");
  // A rewritten model is one again.
  if (model.ok() && model->artefact.bytes.size() > 0 &&
      !onnx::import_content(model->artefact.bytes.view(), "/nonexistent/model.onnx").ok()) {
    std::abort();
  }
  return 0;
}
