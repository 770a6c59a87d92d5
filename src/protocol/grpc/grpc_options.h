// What a gRPC listener can be told. Defaults are those of Triton where it has the option.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/tls/tls_options.h"
#include "tensor/request.h"

namespace supernova::protocol::grpc {

struct GrpcKeepalive {
  std::chrono::milliseconds time{7'200'000};  // silence before the server pings
  std::chrono::milliseconds timeout{20'000};  // wait for the answer before it closes
  bool permit_without_calls = false;
  int max_pings_without_data = 2;
  // Clients that ping more often than this, or more than max_ping_strikes times, are sent away.
  std::chrono::milliseconds min_recv_ping_interval_without_data{300'000};
  int max_ping_strikes = 2;
};

enum class GrpcCompression { kNone, kLow, kMedium, kHigh };
// "none", "low", "medium", "high".
std::optional<GrpcCompression> grpc_compression_from_name(std::string_view name);

struct GrpcServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8001;  // 0 = the system picks
  // Without it the connection is not encrypted.
  std::optional<tls::TlsOptions> tls;
  GrpcKeepalive keepalive;

  int threads = 1;  // each with a completion queue of its own
  int max_receive_bytes = std::numeric_limits<int>::max();  // of one message
  int max_concurrent_streams = 1024;                        // calls at a time on one connection
  // Requests of one ModelInfer stream at a time; the server stops reading the stream at that many.
  size_t max_stream_requests = 64;
  // Bytes of all requests held at a time, beyond which requests are refused; 0 = a quarter of the
  // machine's memory. As much again may be on its way in.
  uint64_t max_request_memory = 0;
  GrpcCompression response_compression = GrpcCompression::kNone;  // of inference

  // Called with each entry of an inference call's metadata (keys are in lower case); puts into the
  // request's parameters what the model is to see. An error refuses the request. From many threads.
  std::function<base::Status(std::string_view key, std::string_view value,
                             tensor::Parameters& parameters)>
      forward_header;
};

}  // namespace supernova::protocol::grpc
