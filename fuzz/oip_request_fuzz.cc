// An inference request is hostile input: any body gives a decoded request or an error, and what was
// decoded lies inside its memory. The first line of the input is the
// Inference-Header-Content-Length
// ("-" = the header is missing), the rest is the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/oip/infer_request.h"
#include "protocol/oip/infer_response.h"
#include "protocol/oip/routes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace supernova;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const size_t line_end = content.find('\n');
  const std::string header(content.substr(0, line_end));
  const std::string_view text =
      line_end == std::string_view::npos ? "" : content.substr(line_end + 1);
  static const protocol::oip::RouteTable kTables[] = {protocol::oip::routes()};
  static const protocol::oip::Router kRouter(kTables);
  (void)kRouter.match("POST", text.substr(0, 200));

  tensor::TensorInfo info;
  info.name = "x";
  info.data_type = static_cast<tensor::DataType>(1 + size % 14);
  info.shape = {-1, 2};
  const auto decoded = protocol::oip::decode_infer_request(
      tensor::Buffer::copy_of(text), header == "-" ? nullptr : &header, "m", {info});
  if (!decoded.ok()) return 0;

  // What came in as values goes out again; what JSON can't carry is an error, never a crash.
  tensor::Response response;
  response.id = decoded->request.id;
  response.parameters = decoded->request.parameters;
  response.outputs = decoded->request.inputs;
  (void)protocol::oip::encode_infer_response(response, decoded->output_form);
  for (const tensor::Tensor& input : decoded->request.inputs) {
    if (input.data_type == tensor::DataType::kBytes) continue;
    const auto expected = tensor::byte_size(input.data_type, input.shape);
    if (!expected.ok() || *expected != input.buffer.size()) std::abort();
  }
  return 0;
}
