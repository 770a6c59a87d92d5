// An inference message is hostile input: any bytes give a decoded request or an error, what was
// decoded lies inside its memory, and what came in goes out again.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "protocol/grpc/extension_codec.h"
#include "protocol/grpc/grpc_codec.h"

namespace {

using namespace supernova;

base::Result<tensor::Buffer> region_part(std::string_view, uint64_t offset, uint64_t byte_size) {
  static const tensor::Buffer region = tensor::Buffer::allocate(256);
  if (offset > region.size() || byte_size > region.size() - offset) {
    return absl::InvalidArgumentError("out of the region");
  }
  return region.slice(offset, byte_size);
}

void read_extensions(const uint8_t* data, int size) {
  auto load = std::make_shared<inference::RepositoryModelLoadRequest>();
  if (load->ParseFromArray(data, size)) (void)protocol::grpc::decode_load(load);
  inference::RepositoryModelUnloadRequest unload;
  if (unload.ParseFromArray(data, size)) (void)protocol::grpc::decode_unload(unload);
  inference::TraceSettingRequest trace;
  if (trace.ParseFromArray(data, size)) (void)protocol::grpc::decode_trace_update(trace);
  inference::LogSettingsRequest log;
  if (log.ParseFromArray(data, size)) (void)protocol::grpc::decode_log_update(log);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Bytes that are no UTF-8 are said on stderr otherwise.
  [[maybe_unused]] static const auto quiet = google::protobuf::SetLogHandler(nullptr);
  read_extensions(data, static_cast<int>(size));
  auto message = std::make_shared<inference::ModelInferRequest>();
  if (!message->ParseFromArray(data, static_cast<int>(size))) return 0;
  auto request = protocol::grpc::decode_request(message, &region_part);
  message.reset();
  if (!request.ok()) return 0;

  tensor::Response response;
  response.id = request->id;
  response.parameters = request->parameters;
  unsigned sum = 0;
  for (const tensor::Tensor& input : request->inputs) {
    for (const std::byte byte : input.buffer.bytes()) sum += std::to_integer<unsigned>(byte);
  }
  response.outputs = request->inputs;
  inference::ModelInferResponse answer;
  const base::Status status =
      protocol::grpc::encode_response(response, protocol::grpc::destinations_of(*request), answer);
  if (status.ok() && answer.outputs_size() != answer.raw_output_contents_size()) std::abort();
  return sum == 0xffffffff ? 1 : 0;
}
