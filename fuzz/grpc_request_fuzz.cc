// An inference message is hostile input: any bytes give a decoded request or an error, what was
// decoded lies inside its memory, and what came in goes out again.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "protocol/grpc/extension_codec.h"
#include "protocol/grpc/request_codec.h"
#include "protocol/grpc/response_codec.h"

namespace {

using namespace supernova;
using protocol::grpc::Message;

base::Result<tensor::Buffer> region_part(std::string_view, uint64_t offset, uint64_t byte_size) {
  static const tensor::Buffer region = tensor::Buffer::allocate(256);
  if (offset > region.size() || byte_size > region.size() - offset) {
    return absl::InvalidArgumentError("out of the region");
  }
  return region.slice(offset, byte_size);
}

base::Result<tensor::Request> decode(Message message) {
  static const auto memory = std::make_shared<protocol::grpc::RequestMemory>(1 << 20);
  return protocol::grpc::decode_request(
      std::make_shared<protocol::grpc::ReceivedRequest>(memory, std::move(message)), &region_part);
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
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // In one piece, and cut where the first byte says.
  const size_t cut = size == 0 ? 0 : data[0] % size;
  grpc_slice slices[] = {grpc_slice_from_copied_buffer(bytes.data(), cut),
                         grpc_slice_from_copied_buffer(bytes.data() + cut, size - cut)};
  Message pieces(slices);
  for (const grpc_slice& slice : slices) grpc_slice_unref(slice);
  const auto in_pieces = decode(std::move(pieces));
  const auto request = decode(Message::copy_of(bytes));
  if (in_pieces.ok() != request.ok()) std::abort();
  if (!request.ok()) return 0;

  tensor::Response response;
  response.id = request->id;
  response.parameters = request->parameters;
  unsigned sum = 0;
  for (const tensor::Tensor& input : request->inputs) {
    for (const std::byte byte : input.buffer.bytes()) sum += std::to_integer<unsigned>(byte);
  }
  response.outputs = request->inputs;
  const auto reply =
      protocol::grpc::encode_response(response, protocol::grpc::destinations_of(*request));
  inference::ModelInferResponse answer;
  if (!reply.ok() || !protocol::grpc::parse(*reply, answer).ok()) std::abort();
  if (answer.outputs_size() != answer.raw_output_contents_size()) std::abort();
  return sum == 0xffffffff ? 1 : 0;
}
