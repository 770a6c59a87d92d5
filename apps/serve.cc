// supernova serve: loads the models named, serves them over HTTP and gRPC until SIGTERM or SIGINT.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "base/log.h"
#include "command.h"
#include "protocol/grpc/grpc_server.h"
#include "protocol/http/http_server.h"
#include "protocol/kserve_v1/routes.h"
#include "protocol/oip/oip_handler.h"
#include "service/service.h"

namespace supernova::apps {
namespace {

struct ServeOptions {
  ModelOptions model;
  std::vector<std::string> models;
  std::vector<std::string> repositories;
  std::string host = "127.0.0.1";
  uint16_t http_port = 8000;
  uint16_t grpc_port = 8001;
  int http_threads = 1;
  size_t max_queue_size = 1024;
  int exit_timeout_seconds = 30;
  bool exit_on_error = false;
};

// SIGTERM and SIGINT are taken by sigwait on the main thread; threads started later inherit the
// mask.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A shell starts its background commands with SIGINT ignored; it counts here all the same.
  signal(SIGINT, SIG_DFL);
  return signals;
}

base::Result<std::vector<model::VersionSource>> collect_sources(const ServeOptions& options,
                                                                House& house) {
  std::vector<model::VersionSource> sources;
  for (const std::string& argument : options.models) {
    SN_ASSIGN(auto source, model::source_from_argument(argument));
    sources.push_back(std::move(source));
  }
  for (const std::string& folder : options.repositories) {
    SN_ASSIGN(auto content, model::sources_from_repository(folder, [&](const std::string& path) {
                return house.importers.recognises(path);
              }));
    for (const std::string& problem : content.problems) SN_LOG(Warning, "{}", problem);
    for (auto& source : content.sources) sources.push_back(std::move(source));
  }
  if (sources.empty()) {
    return absl::InvalidArgumentError(
        "no model to serve; name a MODEL or a --model-repository with models in it");
  }
  return sources;
}

// Loads all; the first failure is returned only when it is to be fatal.
base::Status load_models(const ServeOptions& options,
                         const std::vector<model::VersionSource>& sources, House& house) {
  SN_ASSIGN(const model::LoadOptions base_options, options.model.load_options());
  model::LoadOptions load = base_options;
  load.queue.max_queue_size = options.max_queue_size;
  for (const model::VersionSource& source : sources) {
    const base::Status status = house.models.load(source, load);
    if (status.ok()) continue;
    if (options.exit_on_error) return status;
    SN_LOG(Error, "{}", base::message(status));
  }
  return {};
}

void print_ready(const protocol::http::HttpServer& http, const protocol::grpc::GrpcServer& grpc,
                 const std::string& host) {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  std::printf("ready http=%s:%u grpc=%s:%u\n", shown.c_str(), http.port(), shown.c_str(),
              grpc.port());
  std::fflush(stdout);
}

base::Status serve(const ServeOptions& options) {
  const sigset_t signals = block_signals();
  House house;
  SN_TRY(house.open(options.model));
  SN_ASSIGN(const auto sources, collect_sources(options, house));

  service::Service service(house.models);
  protocol::oip::OipHandler handler(service, {{protocol::kserve_v1::routes()}, {}});
  protocol::http::HttpServerOptions http_options;
  http_options.host = options.host;
  http_options.port = options.http_port;
  http_options.threads = options.http_threads;
  // Ports first: a port in use is known at once, not after minutes of loading.
  SN_ASSIGN(auto http, protocol::http::HttpServer::start(http_options, handler));
  SN_ASSIGN(auto grpc,
            protocol::grpc::GrpcServer::start({options.host, options.grpc_port}, service));
  SN_TRY(load_models(options, sources, house));
  service.set_ready(true);
  print_ready(*http, *grpc, options.host);

  int received = 0;
  sigwait(&signals, &received);
  SN_LOG(Info, "{} received: finishing what is in progress", strsignal(received));
  service.set_ready(false);
  // A second signal ends the program the ordinary way.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(options.exit_timeout_seconds);
  http->drain(deadline);
  grpc->drain(deadline);
  house.models.drain();
  return {};
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve models over REST and gRPC");
  command->add_option("MODEL", options->models,
                      "Model file or folder, or NAME=PATH; recognised by content");
  command
      ->add_option("--model-repository,--model-store", options->repositories,
                   "Folder of models; may be repeated")
      ->type_name("DIR")
      ->expected(1)
      ->take_all();
  command->add_option("--host,--http-address", options->host, "Address to listen on")
      ->capture_default_str();
  command->add_option("--http-port", options->http_port, "HTTP port; 0 picks one")
      ->capture_default_str();
  command->add_option("--grpc-port", options->grpc_port, "gRPC port; 0 picks one")
      ->capture_default_str();
  command->add_option("--http-thread-count", options->http_threads, "I/O threads for HTTP")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--max-queue-size", options->max_queue_size,
                   "Requests that may wait for a model; more are answered 503")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      ->add_option("--exit-timeout-secs", options->exit_timeout_seconds,
                   "Seconds to finish requests after SIGTERM")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  command->add_flag("--exit-on-error", options->exit_on_error,
                    "End with 1 when a model fails to load");
  options->model.add_to(*command);
  command->callback([options, &exit_code] { exit_code = finish(serve(*options)); });
}

}  // namespace supernova::apps
