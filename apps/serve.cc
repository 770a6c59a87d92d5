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
  std::string control = "none";
  std::vector<std::string> load_models;
  int poll_seconds = 15;
  size_t loader_threads = 2;
  uint64_t memory_budget = 0;
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

base::Result<model::ManagerOptions> manager_options(const ServeOptions& options) {
  model::ManagerOptions manager;
  if (options.control == "poll") manager.control = model::ControlMode::kPoll;
  if (options.control == "explicit") manager.control = model::ControlMode::kExplicit;
  if (!options.load_models.empty() && manager.control != model::ControlMode::kExplicit) {
    return absl::InvalidArgumentError(
        "--load-model needs --model-control-mode explicit; in the other modes all are loaded");
  }
  for (const std::string& argument : options.models) {
    SN_ASSIGN(auto source, model::source_from_argument(argument));
    manager.models.push_back(std::move(source));
  }
  manager.repositories = options.repositories;
  if (manager.models.empty() && manager.repositories.empty()) {
    return absl::InvalidArgumentError(
        "no model to serve; name a MODEL or a --model-repository with models in it");
  }
  manager.load_at_start = options.load_models;
  manager.poll_interval = std::chrono::seconds(options.poll_seconds);
  manager.loader_threads = options.loader_threads;
  manager.memory_budget = options.memory_budget;
  SN_ASSIGN(manager.load, options.model.load_options());
  manager.load.queue.max_queue_size = options.max_queue_size;
  manager.load.warm_up = true;
  return manager;
}

// Loads what is to serve from the start; a failure is returned only when it is to be fatal.
base::Status load_models(const ServeOptions& options, const model::ManagerOptions& manager,
                         model::ModelManager& models) {
  SN_ASSIGN(const auto failures, models.start(manager));
  if (!failures.empty() && options.exit_on_error) return absl::AbortedError(failures.front());
  if (manager.control == model::ControlMode::kNone && models.index(false).empty()) {
    return absl::InvalidArgumentError(
        "no model to serve; name a MODEL or a --model-repository with models in it");
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
  SN_ASSIGN(const model::ManagerOptions manager, manager_options(options));

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
  SN_TRY(load_models(options, manager, house.models));
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
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve models over REST and gRPC");
  command->add_option("MODEL", options->models,
                      "Model file or folder, or NAME=PATH; recognised by content");
  add_repository_options(*command, *options);
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
