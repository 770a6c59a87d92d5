// supernova serve: loads the models named, serves them over HTTP and gRPC until SIGTERM or SIGINT.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <future>
#include <memory>
#include <set>

#include "base/descriptor_limit.h"
#include "base/log.h"
#include "command.h"
#include "engine/worker/worker_status.h"
#include "front_ends.h"
#include "protocol/metrics/cache_metrics.h"
#include "protocol/metrics/worker_metrics.h"
#include "schedule/response_cache.h"
#include "serve_options.h"
#include "service/service.h"
#include "service/shared_memory.h"
#include "stop_signal.h"
#include "telemetry/exporters.h"

namespace supernova::apps {
namespace {

// What closing models may take after the last request.
constexpr std::chrono::seconds kCloseTime(10);

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
  if (options.response_cache_bytes > 0) {
    manager.load.queue.cache =
        std::make_shared<schedule::ResponseCache>(options.response_cache_bytes);
  }
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

// What the models may be opened as: what all are imported to, and the files named as they are.
std::set<std::string> formats_of(const std::vector<model::VersionSource>& models, House& house) {
  std::set<std::string> formats{tensor::kHubFormat};
  for (const model::VersionSource& model : models) {
    if (const auto file = house.artefacts.identify(model.path); file.ok()) {
      formats.insert(file->format);
    }
  }
  return formats;
}

// Opens the ports on a thread of its own while this one opens the engines that are likely to be
// needed, which is most of a start. The main thread, because the C library grows the heap of any
// other one page at a time.
base::Result<std::unique_ptr<FrontEnds>> open_front_ends(const ServeOptions& options,
                                                         const model::ManagerOptions& manager,
                                                         House& house, service::Service& service) {
  std::vector<FrontEnds::Collector> collectors;
  collectors.push_back([&house](auto& out) { write_artefact_metrics(house.artefacts, out); });
  collectors.push_back([](auto& out) {
    protocol::metrics::write_worker_metrics(engine::worker::worker_records(), out);
  });
  if (const auto cache = manager.load.queue.cache) {
    collectors.push_back(
        [cache](auto& out) { protocol::metrics::write_cache_metrics(cache->figures(), out); });
  }
  auto opening = std::async(
      std::launch::async, [&] { return FrontEnds::open(options, service, std::move(collectors)); });
  const bool loads_later = manager.models.empty() && manager.load_at_start.empty() &&
                           manager.control == model::ControlMode::kExplicit;
  if (!loads_later) {
    const bool named = !options.model.engine.empty();
    house.engines.open_early(options.model.engine,
                             named ? std::set<std::string>() : formats_of(manager.models, house));
  }
  return opening.get();
}

base::Result<std::unique_ptr<service::Tracer>> open_tracer(const ServeOptions& options) {
  SN_ASSIGN(const service::TraceConfig config, service::parse_trace_config(options.trace_config));
  std::unique_ptr<telemetry::SpanSink> sink;
  if (config.settings.mode == "opentelemetry") {
    SN_ASSIGN(sink,
              telemetry::open_exporter("otlp", {config.url, SUPERNOVA_VERSION, config.resource}));
  }
  return service::Tracer::create(config, std::move(sink));
}

base::Status serve(ServeOptions& options) {
  StopSignal stop;
  SN_TRY(options.log.apply());
  SN_TRY(options.settle());
  SN_ASSIGN(const model::ManagerOptions manager, manager_options(options));
  SN_ASSIGN(const auto access, service::make_access_control(options.access));
  base::raise_descriptor_limit();

  // In the order in which they lean on each other; requests in progress see all of it.
  SN_ASSIGN(const auto tracer, open_tracer(options));
  service::SharedMemory shared_memory;
  House house;
  SN_TRY(house.open(options.model, !options.exit_on_error));
  service::Service service(house.models);
  service.set_devices(&house.devices);
  service.set_access_control(access.get());
  service.set_tracer(tracer.get());
  if (options.allow_client_shm) service.set_shared_memory(&shared_memory);
  // Ports first: a port in use is known at once, not after minutes of loading.
  SN_ASSIGN(const auto front_ends, open_front_ends(options, manager, house, service));
  const auto drain = [&] {
    service.set_ready(false);
    front_ends->drain(std::chrono::steady_clock::now() +
                      std::chrono::seconds(options.exit_timeout_seconds));
  };
  stop.before_waiting(drain);
  SN_TRY(load_models(options, manager, house.models));
  service.set_ready(true);
  std::printf("ready %s\n", front_ends->addresses().c_str());
  std::fflush(stdout);

  const int received = stop.wait();
  SN_LOG(Info, "{} received: finishing what is in progress", strsignal(received));
  drain();
  end_within(kCloseTime);
  house.artefacts.stop();
  house.models.drain();
  return {};
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve models over REST and gRPC");
  options->add_to(*command);
  command->callback([options, &exit_code] { exit_code = finish(serve(*options)); });
}

}  // namespace supernova::apps
