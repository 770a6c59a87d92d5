#include "serve_options.h"

#include "base/log.h"
#include "option_checks.h"

namespace supernova::apps {
namespace {

void add_repository_options(CLI::App& command, ServeOptions& options) {
  command
      .add_option("--model-repository,--model-store", options.repositories,
                  "Folder of models; may be repeated")
      ->type_name("DIR")
      ->expected(1)
      ->take_all();
  command
      .add_option("--model-control-mode", options.control,
                  "What is loaded after the start: nothing (none), what changes in the "
                  "repositories (poll), what clients ask for (explicit)")
      ->check(CLI::IsMember({"none", "poll", "explicit"}))
      ->capture_default_str();
  command
      .add_option("--load-model", options.load_models,
                  "With explicit control, a model to load at start, '*' for all; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command
      .add_option("--repository-poll-secs", options.poll_seconds,
                  "Seconds between two looks at the repositories, with poll")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  command
      .add_option("--model-load-thread-count", options.loader_threads,
                  "Models that are loaded at the same time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      .add_option("--model-memory-budget", options.memory_budget,
                  "Bytes (512MiB, 4GiB) that models may take; a new version that does not fit "
                  "beside the old one is loaded after that is gone; 0 = no limit")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--max-queue-size", options.max_queue_size,
                  "Requests that may wait for a model; more are answered 503")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      .add_option(
          "--response-cache-byte-size", options.response_cache_bytes,
          "Bytes (64MiB) of answers kept for models whose configuration enables it; 0 = none")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--exit-timeout-secs", options.exit_timeout_seconds,
                  "Seconds to finish requests after SIGTERM")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  command.add_flag("--exit-on-error", options.exit_on_error,
                   "End with 1 when a model fails to load");
}

void add_listener_options(CLI::App& command, ServeOptions& options) {
  command.add_option("--host,--http-address", options.host, "Address to listen on, with all ports")
      ->capture_default_str();
  command.add_option("--http-port", options.http.port, "HTTP port; 0 picks one")
      ->check(port())
      ->capture_default_str();
  command.add_option("--grpc-port", options.grpc.port, "gRPC port; 0 picks one")
      ->check(port())
      ->capture_default_str();
  command.add_option("--metrics-port", options.metrics_port, "Metrics port; 0 picks one")
      ->check(port())
      ->capture_default_str();
  command.add_flag("--allow-metrics,!--no-metrics", options.allow_metrics,
                   "Whether there is a metrics port (default: true)");
  command.add_option("--http-thread-count", options.http.threads, "I/O threads for HTTP")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      .add_option("--http-max-connections", options.http.max_connections,
                  "HTTP connections at a time; more are answered 503")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      .add_option("--http-max-input-size", options.http.max_body_bytes,
                  "Bytes (64MiB, 2GiB) of one request's body, decompressed")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--http-max-body-memory", options.http.max_body_memory,
                  "Bytes of the bodies of all requests at a time; beyond them 503")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--http-header-forward-pattern", options.http_forward,
                  "Headers whose whole name matches this pattern (RE2) become request parameters")
      ->type_name("REGEX");
  command.add_flag("--allow-client-shm", options.allow_client_shm,
                   "Let clients hand tensors over in system shared memory");
}

void add_grpc_options(CLI::App& command, ServeOptions& options) {
  protocol::grpc::GrpcKeepalive& keepalive = options.grpc.keepalive;
  command.add_option("--grpc-thread-count", options.grpc.threads, "I/O threads for gRPC")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      .add_option("--grpc-infer-response-compression-level", options.grpc_compression,
                  "Compression of gRPC inference replies")
      ->check(CLI::IsMember({"none", "low", "medium", "high"}))
      ->capture_default_str();
  command
      .add_option("--grpc-header-forward-pattern", options.grpc_forward,
                  "As --http-header-forward-pattern, for gRPC metadata")
      ->type_name("REGEX");
  command
      .add_option("--grpc-max-request-memory", options.grpc.max_request_memory,
                  "Bytes of all gRPC requests at a time; 0 = a quarter of the machine's memory")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--grpc-keepalive-time", options.grpc_keepalive_ms,
                  "Milliseconds of silence before the server pings a client")
      ->capture_default_str();
  command
      .add_option("--grpc-keepalive-timeout", options.grpc_keepalive_timeout_ms,
                  "Milliseconds that the answer to a ping may take")
      ->capture_default_str();
  command.add_flag("--grpc-keepalive-permit-without-calls", keepalive.permit_without_calls,
                   "Ping clients that have no call under way, too");
  command
      .add_option("--grpc-http2-max-pings-without-data", keepalive.max_pings_without_data,
                  "Pings between two data frames")
      ->capture_default_str();
  command
      .add_option("--grpc-http2-min-recv-ping-interval-without-data",
                  options.grpc_min_ping_interval_ms,
                  "Milliseconds that a client must leave between its pings")
      ->capture_default_str();
  command
      .add_option("--grpc-http2-max-ping-strikes", keepalive.max_ping_strikes,
                  "Pings too many before a client is sent away")
      ->capture_default_str();
}

void add_security_options(CLI::App& command, ServeOptions& options) {
  command
      .add_option("--tls-certificate", options.tls.certificate_file,
                  "Speak TLS on every port with this certificate (PEM, then its chain)")
      ->type_name("FILE");
  command.add_option("--tls-key", options.tls.key_file, "The certificate's private key (PEM)")
      ->type_name("FILE");
  command
      .add_option("--tls-client-ca", options.tls.client_ca_file,
                  "Ask clients for a certificate that one of these signed (mutual TLS)")
      ->type_name("FILE");
  command.add_flag("--grpc-use-ssl,--grpc-use-ssl-mutual", options.grpc_use_tls,
                   "Speak TLS over gRPC, with the three options that follow");
  command.add_option("--grpc-server-cert", options.grpc_tls.certificate_file, "gRPC's certificate")
      ->type_name("FILE");
  command.add_option("--grpc-server-key", options.grpc_tls.key_file, "Its private key")
      ->type_name("FILE");
  command
      .add_option("--grpc-root-cert", options.grpc_tls.client_ca_file,
                  "Ask gRPC clients for a certificate that one of these signed")
      ->type_name("FILE");
  command
      .add_option("--access-file", options.access.access_file,
                  "Who is known, and may do what (docs/howto/security.md)")
      ->type_name("FILE");
  command.add_flag("--allow-insecure", options.allow_insecure,
                   "Listen on an address that others reach without TLS and --access-file");
  command
      .add_option("--http-restricted-api", options.access.http_restricted,
                  "<api>[,<api>]:<header>=<value>: APIs that want this header; may be repeated")
      ->expected(1)
      ->take_all();
  command
      .add_option("--grpc-restricted-protocol", options.access.grpc_restricted,
                  "<api>[,<api>]:<key>=<value>: APIs that want this metadata; may be repeated")
      ->expected(1)
      ->take_all();
}

void add_watching_options(CLI::App& command, ServeOptions& options) {
  command
      .add_option("--trace-config", options.trace_config,
                  "Tracing, a key at a time: level=TIMESTAMPS, rate=100, triton,file=trace.json, "
                  "mode=opentelemetry, ... (docs/howto/observability.md)")
      ->type_name("[MODE,]KEY=VALUE")
      ->expected(1)
      ->take_all();
  LogOptions& log = options.log;
  command
      .add_option("--log-format", log.format, "Form of log lines: text, json, or Triton's default")
      ->check(CLI::IsMember({"text", "json", "default", "ISO8601"}))
      ->capture_default_str();
  command.add_option("--log-file", log.file, "Log to this file instead of stderr")
      ->type_name("FILE");
  command.add_option("--log-verbose", log.verbose, "1 logs a line for each request")
      ->capture_default_str();
  command.add_flag("--log-info,!--no-log-info", log.info, "Whether information is logged");
  command.add_flag("--log-warning,!--no-log-warning", log.warning, "Whether warnings are logged");
  command.add_flag("--log-error,!--no-log-error", log.error, "Whether errors are logged");
}

// Whether TLS is asked for; an error where only half of it is.
base::Result<bool> wants_tls(const protocol::tls::TlsOptions& tls, std::string_view certificate,
                             std::string_view key, std::string_view client_ca) {
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        base::str_cat(certificate, " and ", key, " belong together; give both"));
  }
  if (tls.certificate_file.empty() && !tls.client_ca_file.empty()) {
    return absl::InvalidArgumentError(
        base::str_cat(client_ca, " needs ", certificate, " and ", key));
  }
  return !tls.certificate_file.empty();
}

}  // namespace

base::Status LogOptions::apply() const {
  using base::LogFormat;
  using base::LogLevel;
  SN_TRY(base::set_log_file(file));
  base::set_log_format(format == "json"      ? LogFormat::kJson
                       : format == "default" ? LogFormat::kClassic
                                             : LogFormat::kText);
  if (verbose > 0) base::set_log_level(LogLevel::kDebug);
  if (!info) base::set_log_enabled(LogLevel::kInfo, false);
  if (!warning) base::set_log_enabled(LogLevel::kWarning, false);
  if (!error) base::set_log_enabled(LogLevel::kError, false);
  return {};
}

void ServeOptions::add_to(CLI::App& command) {
  command.add_option("MODEL", models, "Model file or folder, or NAME=PATH; recognised by content");
  add_repository_options(command, *this);
  add_listener_options(command, *this);
  add_grpc_options(command, *this);
  add_security_options(command, *this);
  add_watching_options(command, *this);
  model.add_to(command);
}

base::Status ServeOptions::settle() {
  http.host = grpc.host = host;
  SN_ASSIGN(const bool with_tls,
            wants_tls(tls, "--tls-certificate", "--tls-key", "--tls-client-ca"));
  SN_ASSIGN(const bool grpc_with_tls,
            wants_tls(grpc_tls, "--grpc-server-cert", "--grpc-server-key", "--grpc-root-cert"));
  if (grpc_use_tls != grpc_with_tls) {
    return absl::InvalidArgumentError(
        "--grpc-use-ssl, --grpc-server-cert and --grpc-server-key belong together; give all three, "
        "or --tls-certificate and --tls-key for every port");
  }
  if (with_tls) http.tls = grpc.tls = tls;
  if (grpc_with_tls) grpc.tls = grpc_tls;
  // CLI11 has checked that it is one of the names.
  grpc.response_compression = protocol::grpc::grpc_compression_from_name(grpc_compression)
                                  .value_or(protocol::grpc::GrpcCompression::kNone);
  grpc.keepalive.time = std::chrono::milliseconds(grpc_keepalive_ms);
  grpc.keepalive.timeout = std::chrono::milliseconds(grpc_keepalive_timeout_ms);
  grpc.keepalive.min_recv_ping_interval_without_data =
      std::chrono::milliseconds(grpc_min_ping_interval_ms);
  return {};
}

}  // namespace supernova::apps
