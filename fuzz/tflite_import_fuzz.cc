// A TensorFlow Lite file is hostile input: importing any bytes gives a model or an error.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "import/tflite/attached.h"
#include "import/tflite/flex.h"
#include "import/tflite/tflite_importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace tflite = supernova::import::tflite;
  // A copy without slack, so that a sanitizer sees what is read beyond it.
  const auto content = std::make_shared<std::string>(reinterpret_cast<const char*>(data), size);
  (void)tflite::attached_files(*content);
  (void)tflite::read_flex_map(*content);
  const auto result = tflite::import_content(*content, content, "/nonexistent/model.tflite");
  if (result.ok()) {
    (void)tflite::import_content(*content, content, "/nonexistent/model.tflite",
                                 {{"state", "tensors"}});
  }
  return 0;
}
