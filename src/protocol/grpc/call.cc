#include "protocol/grpc/call.h"

#include <algorithm>
#include <deque>

#include "protocol/grpc/request_codec.h"

namespace supernova::protocol::grpc {
namespace {

using Point = std::chrono::steady_clock::time_point;

// The request parameter `timeout`: microseconds the client is willing to wait; 0 = for ever.
std::optional<Point> timeout_of(const tensor::Request& request) {
  const auto at = request.parameters.find("timeout");
  if (at == request.parameters.end()) return std::nullopt;
  uint64_t microseconds = 0;
  // The codec has checked that it is one of the two and not negative.
  if (const auto* number = std::get_if<int64_t>(&at->second)) {
    microseconds = static_cast<uint64_t>(*number);
  } else if (const auto* large = std::get_if<uint64_t>(&at->second)) {
    microseconds = *large;
  }
  if (microseconds == 0) return std::nullopt;
  // Beyond a year it makes no difference, and sums can't overflow.
  constexpr uint64_t kYear = uint64_t{365} * 24 * 3600 * 1'000'000;
  return std::chrono::steady_clock::now() +
         std::chrono::microseconds(std::min(microseconds, kYear));
}

}  // namespace

base::Result<service::Caller> admit(const service::Service& service, service::Api api,
                                    const ServerCall& call) {
  if (!service.controls_access()) return service::Caller{};
  std::deque<std::string> values;  // what `header` has answered; stays where it is
  const std::string certificate = call.certificate_identity();
  service::Credentials credentials;
  credentials.authorization = call.metadata_value("authorization");
  credentials.api_key = call.metadata_value("x-api-key");
  credentials.certificate = certificate;
  credentials.header = [&](std::string_view name) -> const std::string* {
    const grpc_metadata* const found = call.find_metadata(name);
    return found == nullptr ? nullptr : &values.emplace_back(view(found->value));
  };
  return service.admit(service::Transport::kGrpc, api, credentials);
}

base::Result<tensor::Request> read_request(const CallHouse& house, const service::Caller& caller,
                                           const ServerCall& call,
                                           const std::shared_ptr<ReceivedRequest>& message) {
  const auto shared_memory = [&](std::string_view region, uint64_t offset, uint64_t byte_size) {
    return house.service.shared_memory_part(caller, region, offset, byte_size);
  };
  SN_ASSIGN(tensor::Request request, decode_request(message, shared_memory));
  request.deadline = call.deadline();
  const auto timeout = timeout_of(request);
  if (timeout && (!request.deadline || *timeout < *request.deadline)) request.deadline = timeout;
  request.trace_context = call.metadata_value("traceparent");
  if (house.options.forward_header) {
    for (const grpc_metadata& entry : call.metadata()) {
      SN_TRY(house.options.forward_header(view(entry.key), view(entry.value), request.parameters));
    }
  }
  return request;
}

grpc_compression_level compression_of(const CallHouse& house) {
  switch (house.options.response_compression) {
    case GrpcCompression::kNone:
      break;
    case GrpcCompression::kLow:
      return GRPC_COMPRESS_LEVEL_LOW;
    case GrpcCompression::kMedium:
      return GRPC_COMPRESS_LEVEL_MED;
    case GrpcCompression::kHigh:
      return GRPC_COMPRESS_LEVEL_HIGH;
  }
  return GRPC_COMPRESS_LEVEL_NONE;
}

std::optional<GrpcCompression> grpc_compression_from_name(std::string_view name) {
  if (name == "none") return GrpcCompression::kNone;
  if (name == "low") return GrpcCompression::kLow;
  if (name == "medium") return GrpcCompression::kMedium;
  if (name == "high") return GrpcCompression::kHigh;
  return std::nullopt;
}

}  // namespace supernova::protocol::grpc
