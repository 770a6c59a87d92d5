// What `supernova serve` can be told, as flags. Triton's names are accepted where it has the same.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "command.h"
#include "protocol/grpc/grpc_options.h"
#include "protocol/http/http_server.h"
#include "service/access_control.h"

namespace supernova::apps {

struct LogOptions {
  std::string format = "text";
  std::string file;
  int verbose = 0;
  bool info = true;
  bool warning = true;
  bool error = true;

  base::Status apply() const;
};

struct ServeOptions {
  ModelOptions model;
  std::vector<std::string> models;
  std::vector<std::string> repositories;
  std::string control = "none";
  std::vector<std::string> load_models;
  int poll_seconds = 15;
  size_t loader_threads = 2;
  uint64_t memory_budget = 0;
  size_t max_queue_size = 1024;
  uint64_t response_cache_bytes = 0;
  bool exit_on_error = false;
  int exit_timeout_seconds = 30;

  std::string host = "127.0.0.1";
  bool allow_metrics = true;
  uint16_t metrics_port = 8002;
  protocol::http::HttpServerOptions http;
  protocol::grpc::GrpcServerOptions grpc;
  std::string grpc_compression = "none";
  int64_t grpc_keepalive_ms = 7'200'000;
  int64_t grpc_keepalive_timeout_ms = 20'000;
  int64_t grpc_min_ping_interval_ms = 300'000;

  protocol::tls::TlsOptions tls;       // of every port
  protocol::tls::TlsOptions grpc_tls;  // of gRPC alone, where it differs
  bool grpc_use_tls = false;
  service::AccessOptions access;
  bool allow_insecure = false;
  bool allow_client_shm = false;
  std::string http_forward;
  std::string grpc_forward;

  std::vector<std::string> trace_config;
  LogOptions log;

  void add_to(CLI::App& command);
  // Puts what several flags say together; the values above are read before. Errors name the flag.
  base::Status settle();
};

}  // namespace supernova::apps
