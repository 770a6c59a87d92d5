// Bodies of the load request, of generate and of v1's predict are hostile input: any text gives a
// request or an error, and tensors are as large as their shapes say. The first byte chooses the
// datatype of the model's input.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/kserve_v1/predict.h"
#include "protocol/oip/generate.h"
#include "protocol/oip/load_request.h"

namespace {

using namespace supernova;

void check(const tensor::Request& request) {
  for (const tensor::Tensor& input : request.inputs) {
    if (input.data_type == tensor::DataType::kBytes) continue;
    const auto expected = tensor::byte_size(input.data_type, input.shape);
    if (!expected.ok() || *expected != input.buffer.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  tensor::TensorInfo info;
  info.name = "x";
  info.data_type = static_cast<tensor::DataType>(1 + data[0] % 14);
  info.shape = {-1, 2};
  std::vector<tensor::TensorInfo> inputs{info};
  if (data[0] & 0x80U) {
    info.name = "y";
    inputs.push_back(info);
  }

  const auto load = protocol::oip::decode_load_request(text);
  if (load.ok() && !load->files.empty() && load->files[0].path.starts_with('/')) std::abort();
  const auto generate = protocol::oip::decode_generate_request(text, "m", inputs);
  if (generate.ok()) check(*generate);
  const auto predict = protocol::kserve_v1::decode_predict_request(text, "m", inputs);
  if (!predict.ok()) return 0;
  check(predict->request);
  tensor::Response response;
  response.outputs = predict->request.inputs;
  (void)protocol::kserve_v1::encode_predict_response(response, predict->by_row);
  return 0;
}
