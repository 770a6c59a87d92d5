#include "protocol/grpc/call.h"

#include <algorithm>
#include <deque>

#include "protocol/grpc/grpc_codec.h"

namespace supernova::protocol::grpc {
namespace {

using ::grpc::CallbackServerContext;
using Point = std::chrono::steady_clock::time_point;

std::string_view view(const ::grpc::string_ref& text) { return {text.data(), text.size()}; }

std::string certificate_identity(const CallbackServerContext& context) {
  const auto peer = context.auth_context();
  if (peer == nullptr || !peer->IsPeerAuthenticated()) return "";
  for (const char* property :
       {GRPC_PEER_URI_PROPERTY_NAME, GRPC_PEER_DNS_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    const auto values = peer->FindPropertyValues(property);
    if (!values.empty() && !values.front().empty()) return std::string(view(values.front()));
  }
  return "";
}

std::optional<Point> deadline_of(const CallbackServerContext& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return std::nullopt;  // none given: far in the future
  return std::chrono::steady_clock::now() + left;
}

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

::grpc::Status to_grpc(const base::Status& status) {
  // Messages travel in the trailers, percent-encoded, where clients take 8 KiB at most.
  constexpr size_t kMaxMessage = 2000;
  if (status.ok()) return ::grpc::Status::OK;
  std::string message(base::message(status));
  if (message.size() > kMaxMessage) message = message.substr(0, kMaxMessage) + " ...";
  return {static_cast<::grpc::StatusCode>(status.code()), message};
}

std::string_view metadata_value(const CallbackServerContext& context, const char* key) {
  const auto& metadata = context.client_metadata();
  const auto at = metadata.find(key);
  return at == metadata.end() ? std::string_view() : view(at->second);
}

base::Result<service::Caller> admit(const service::Service& service, service::Api api,
                                    const CallbackServerContext& context) {
  if (!service.controls_access()) return service::Caller{};
  std::deque<std::string> values;  // what `header` has answered; stays where it is
  const std::string certificate = certificate_identity(context);
  service::Credentials credentials;
  credentials.authorization = metadata_value(context, "authorization");
  credentials.api_key = metadata_value(context, "x-api-key");
  credentials.certificate = certificate;
  credentials.header = [&](std::string_view name) -> const std::string* {
    const auto& metadata = context.client_metadata();
    const auto at = metadata.find(::grpc::string_ref(name.data(), name.size()));
    return at == metadata.end() ? nullptr : &values.emplace_back(view(at->second));
  };
  return service.admit(service::Transport::kGrpc, api, credentials);
}

base::Result<tensor::Request> read_request(const CallHouse& house, const service::Caller& caller,
                                           const CallbackServerContext& context,
                                           inference::ModelInferRequest& message) {
  SN_ASSIGN(auto held, RequestMemory::hold(house.memory, message));
  const auto shared_memory = [&](std::string_view region, uint64_t offset, uint64_t byte_size) {
    return house.service.shared_memory_part(caller, region, offset, byte_size);
  };
  SN_ASSIGN(tensor::Request request, decode_request(std::move(held), shared_memory));
  request.deadline = deadline_of(context);
  const auto timeout = timeout_of(request);
  if (timeout && (!request.deadline || *timeout < *request.deadline)) request.deadline = timeout;
  request.trace_context = metadata_value(context, "traceparent");
  if (house.options.forward_header) {
    for (const auto& [key, value] : context.client_metadata()) {
      SN_TRY(house.options.forward_header(view(key), view(value), request.parameters));
    }
  }
  return request;
}

void set_compression(const CallHouse& house, CallbackServerContext& context) {
  switch (house.options.response_compression) {
    case GrpcCompression::kNone:
      return;
    case GrpcCompression::kLow:
      return context.set_compression_level(GRPC_COMPRESS_LEVEL_LOW);
    case GrpcCompression::kMedium:
      return context.set_compression_level(GRPC_COMPRESS_LEVEL_MED);
    case GrpcCompression::kHigh:
      return context.set_compression_level(GRPC_COMPRESS_LEVEL_HIGH);
  }
}

std::optional<GrpcCompression> grpc_compression_from_name(std::string_view name) {
  if (name == "none") return GrpcCompression::kNone;
  if (name == "low") return GrpcCompression::kLow;
  if (name == "medium") return GrpcCompression::kMedium;
  if (name == "high") return GrpcCompression::kHigh;
  return std::nullopt;
}

}  // namespace supernova::protocol::grpc
