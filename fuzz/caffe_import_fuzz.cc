// A Caffe model is hostile input: importing any bytes gives a model or an error. The input is the
// net's text, a zero byte, and the weights; without a zero byte it is taken for either.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "import/caffe/caffe_importer.h"
#include "import/caffe/weights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace caffe = supernova::import::caffe;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const size_t zero = content.find('\0');
  std::optional<caffe::Content> weights;
  if (zero != std::string_view::npos) {
    weights = caffe::Content{"net.caffemodel", content.substr(zero + 1), nullptr};
    (void)caffe::is_weights(weights->bytes);
  } else {
    (void)caffe::read_weights(content, nullptr);
  }
  (void)caffe::import_content({"net.prototxt", content.substr(0, zero), nullptr}, weights);
  return 0;
}
