#include "model/open_version.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "base/log.h"
#include "engine/option_values.h"
#include "model/config_instances.h"
#include "model/config_resolve.h"
#include "model/warm_up.h"
#include "model/warm_up_samples.h"
#include "schedule/verify_batching.h"

namespace supernova::model {

struct VersionOpener::Opened {
  struct Open {
    std::unique_ptr<engine::Session> session;
    size_t place = 0;  // in report.instances
  };
  std::string owner;  // the model's name
  tensor::Options options;
  engine::Wishes wishes;
  std::vector<std::string> warnings;
  FoundPlacement found;
  std::optional<engine::Artefact> prepared;  // what the engine opens faster
  // The engine may be another process on another device, and the model opened in each.
  std::map<std::shared_ptr<engine::Engine>, std::unique_ptr<engine::Model>> models;
  std::vector<Open> sessions;  // the first of each place, then the others
  PlacementReport report;
  // A device that was chosen among several and is not as good as its engine said.
  std::string disappoints;
  engine::Verdict learned;
};

namespace {

uint64_t memory_by_engine(const engine::Session& session) {
  const auto info = session.info();
  return info.ok() ? info->host_memory_bytes : 0;
}

// Parameters of the configuration are options of the importer and the engine; the command line's
// count before them.
tensor::Options merged_options(const ModelPlan& plan, const LoadOptions& options) {
  tensor::Options merged = options.options;
  if (plan.config) {
    for (const auto& [key, value] : plan.config->parameters()) {
      if (!key.starts_with("version_label.")) merged.emplace(key, value.string_value());
    }
  }
  return merged;
}

ModelFacts facts_of(const ModelVersion& version, const ModelPlan& plan, const std::string& engine,
                    const tensor::ImportedModel& imported, const engine::Signature& signature) {
  ModelFacts facts;
  facts.name = version.name();
  facts.engine = engine;
  facts.format = imported.artefact.format;
  const std::string& file =
      imported.description.file.empty() ? version.path() : imported.description.file;
  facts.file = std::filesystem::path(file).filename().string();
  if (plan.config && !plan.config->default_model_filename().empty() && !plan.folder.empty()) {
    facts.file = plan.config->default_model_filename();  // the path was made with it
  }
  facts.inputs = signature.inputs;
  facts.outputs = signature.outputs;
  facts.folder = plan.folder;
  facts.source_format = imported.description.format;
  return facts;
}

std::vector<GroupPlace> places_of(const PlacementReport& report) {
  std::vector<GroupPlace> places;
  for (const InstanceReport& instance : report.instances) {
    places.push_back(
        {instance.group, instance.device, instance.cpu, instance.gpu, fallback_text(instance)});
  }
  return places;
}

PlacementReport report_of(const FoundPlacement& found) {
  const engine::Placement& placement = found.placement;
  PlacementReport report;
  report.source_format = found.source_format;
  report.rejected = placement.rejected;
  report.warnings = placement.warnings;
  report.failure = std::string(base::message(placement.status));
  if (!placement.status.ok()) return report;
  report.engine = placement.engine;
  report.format = found.model().artefact.format;
  report.reason = placement.reason;
  report.operators = found.model().description.operators;
  const auto gpus = engine::graphics_devices(found.input.devices);
  for (const engine::PlacedInstance& placed : placement.instances) {
    const device::Device& device = found.device(placed.device);
    InstanceReport& instance = report.instances.emplace_back();
    instance.group = placed.group;
    instance.device = device.id;
    instance.device_model = device.model;
    instance.cpu = device.abi_kind == SN_DEVICE_CPU;
    const auto gpu = std::find(gpus.begin(), gpus.end(), &device);
    if (gpu != gpus.end()) instance.gpu = static_cast<int>(gpu - gpus.begin());
    instance.limit = static_cast<size_t>(placed.count);
    instance.expected = placed.verdict;
    instance.expected.placement.clear();
  }
  return report;
}

base::Status try_first_run(const ModelVersion& version, engine::Session& session) {
  const base::Status status = warm_up(session);
  if (status.ok()) return {};
  if (warm_up_proves(session.signature())) return status;
  // Nothing that an operator could mend: the first request will find it warm or not.
  SN_LOG(Debug, "model '{}' version {}: {} (zeros may not be an input it can take)", version.name(),
         version.version(), base::message(status));
  return {};
}

// How its requests wait, are joined and run.
schedule::SchedulerOptions queue_options(const ModelPlan& plan, const ModelConfig& config,
                                         const LoadOptions& options,
                                         const PlacementReport& report) {
  auto queue = schedule::scheduler_options(*config.proto, options.queue);
  // Where no number was asked for, the configuration in use says 1; else it says how many on each
  // device.
  queue.concurrency = options.queue.concurrency;
  if (!plan.config || plan.config->instance_group().empty()) return queue;
  queue.concurrency = 0;
  for (const InstanceReport& instance : report.instances) queue.concurrency += instance.limit;
  return queue;
}

// The sessions with as many of the runs of their place as each may take.
std::vector<schedule::ScheduledSession> share_runs(
    std::vector<std::pair<std::unique_ptr<engine::Session>, size_t>> sessions,
    const PlacementReport& report) {
  std::vector<size_t> left;
  for (const InstanceReport& instance : report.instances) left.push_back(instance.limit);
  std::vector<schedule::ScheduledSession> shared;
  for (auto& [session, place] : sessions) {
    const auto overlap = static_cast<size_t>(std::max(session->max_concurrency(), 1));
    const size_t limit = std::min(overlap, left[place]);  // 0 = not said
    left[place] -= limit;
    shared.push_back({std::move(session), limit, report.instances[place].device});
  }
  return shared;
}

// The engine's tensors with what only the importer knows of them.
std::vector<tensor::TensorInfo> with_types(std::vector<tensor::TensorInfo> infos,
                                           const std::vector<tensor::TensorInfo>& described) {
  for (tensor::TensorInfo& info : infos) {
    for (const tensor::TensorInfo& known : described) {
      if (known.name == info.name) info.model_type = known.model_type;
    }
  }
  return infos;
}

void prove_batching(const ModelVersion& version, const tensor::ModelDescription& description,
                    engine::Session& session, schedule::BatchRules& rules) {
  if (rules.max_batch_size <= 1) return;
  const engine::Signature& signature = session.signature();
  const schedule::BatchProof proof = schedule::verify_batching(
      session, with_types(signature.inputs, description.inputs),
      with_types(signature.outputs, description.outputs), rules.max_batch_size);
  using Outcome = schedule::BatchProof::Outcome;
  if (proof.outcome == Outcome::kSame) return;
  const bool off = proof.outcome == Outcome::kDiffers;
  SN_LOG(Warning, "model '{}' version {}: {}: {}", version.name(), version.version(),
         off ? "dynamic_batching has no effect" : "dynamic_batching could not be tried beforehand",
         proof.reason);
  if (off) rules.max_batch_size = 1;
}

}  // namespace

// What is wished for: on the command line, or in the configuration. Its `backend` or `platform` may
// name an engine; one that is none here may say which framework the model came from:
// resolve_config() knows.
base::Result<engine::Wishes> VersionOpener::wishes_of(const ModelVersion& version,
                                                      const ModelPlan& plan,
                                                      const LoadOptions& options,
                                                      const tensor::Options& merged) const {
  engine::Wishes wishes;
  wishes.engine = options.engine;
  wishes.device = options.device;
  const auto device = merged.find(engine::kDevice);
  if (wishes.device.empty() && device != merged.end()) wishes.device = device->second;
  SN_ASSIGN(wishes.strict, engine::is_strict(merged));
  if (!plan.config) return wishes;
  const auto groups = wished_instances(*plan.config, version.name());
  if (!groups.ok()) {
    return base::annotate(groups.status(),
                          base::str_cat("configuration of model '", version.name(), "'"));
  }
  wishes.groups = *groups;
  if (!wishes.engine.empty()) return wishes;
  const std::string& platform = plan.config->platform();
  const std::string& backend = plan.config->backend();
  const std::string name = backend.empty() ? platform.substr(0, platform.rfind('_')) : backend;
  const auto names = catalogue_.names();
  if (std::find(names.begin(), names.end(), name) != names.end()) wishes.engine = name;
  return wishes;
}

base::Status VersionOpener::find_place(const ModelVersion& version, const ModelPlan& plan,
                                       const LoadOptions& options, Opened& opened) const {
  SN_ASSIGN(opened.wishes, wishes_of(version, plan, options, opened.options));
  SN_ASSIGN(opened.found,
            finder_.find(version.path(), opened.wishes, opened.options, options.memory_budget));
  SN_TRY(take_place(plan, opened));
  base::Status status = open_places(version, opened);
  while (!status.ok() && !opened.disappoints.empty()) {
    SN_LOG(Info, "model '{}': {}; looking for another device", version.name(),
           base::message(status));
    opened.found.learn(std::exchange(opened.disappoints, {}), std::move(opened.learned));
    opened.sessions.clear();
    opened.models.clear();
    SN_TRY(take_place(plan, opened));
    status = open_places(version, opened);
  }
  return status;
}

// What was decided, in the report and for the engine.
base::Status VersionOpener::take_place(const ModelPlan& plan, Opened& opened) const {
  opened.report = report_of(opened.found);
  SN_TRY(opened.found.placement.status);
  const device::Device& first = opened.found.device(opened.report.instances.front().device);
  SN_ASSIGN(const engine::Isolation isolation,
            catalogue_.isolation(opened.report.engine, device::to_abi(first), opened.options));
  opened.report.isolation = engine::isolation_name(isolation);
  opened.warnings = plan.warnings;
  opened.warnings.insert(opened.warnings.end(), opened.report.warnings.begin(),
                         opened.report.warnings.end());
  // What the model is meant for, before the instances: an engine may spare itself the CPU's.
  opened.options.erase(engine::kDevice);
  for (const InstanceReport& instance : opened.report.instances) {
    if (!instance.cpu) opened.options.emplace(engine::kDevice, instance.device);
  }
  opened.prepared.reset();
  // What is prepared is prepared for the CPU.
  if (opened.options.contains(engine::kDevice)) return {};
  opened.prepared = provider_.prepare(opened.found.model(), opened.report.engine, opened.options);
  return {};
}

// The engine as it is to run on that device.
base::Result<std::shared_ptr<engine::Engine>> VersionOpener::engine_for(
    const device::Device& device, const Opened& opened) const {
  return catalogue_.use(opened.report.engine, device::to_abi(device), opened.options, opened.owner);
}

base::Result<std::unique_ptr<engine::Model>> VersionOpener::open_model(engine::Engine& engine,
                                                                       const Opened& opened) {
  if (opened.prepared) {
    auto model = engine.open_model(*opened.prepared, opened.options);
    if (model.ok()) return model;
    SN_LOG(Warning, "model file '{}': what was prepared of it can't be opened: {}",
           opened.found.model().description.file, base::message(model.status()));
  }
  return engine.open_model(opened.found.model().artefact, opened.options);
}

base::Status VersionOpener::open_session(Opened& opened, size_t place) const {
  InstanceReport& instance = opened.report.instances[place];
  const device::Device& device = opened.found.device(instance.device);
  const auto open = [&]() -> base::Status {
    SN_ASSIGN(const auto engine, engine_for(device, opened));
    opened.report.engine_version = engine->version();
    std::unique_ptr<engine::Model>& model = opened.models[engine];
    if (model == nullptr) {
      SN_ASSIGN(model, open_model(*engine, opened));
    }
    SN_ASSIGN(auto session, model->open_session(device::to_abi(device), opened.options));
    opened.sessions.push_back({std::move(session), place});
    ++instance.sessions;
    return {};
  };
  // Threads that an engine starts inherit the priority of the thread that opens it, for ever.
  if (!opened.options.contains("intra_op_threads")) return open();
  base::Status status;
  steward_.run([&] { status = open(); });
  return status;
}

// Opens the first session of a place. What does not run on the device asked for is never passed
// over.
base::Status VersionOpener::open_place(const ModelVersion& version, Opened& opened,
                                       size_t place) const {
  SN_TRY(open_session(opened, place));
  InstanceReport& instance = opened.report.instances[place];
  auto info = opened.sessions.back().session->info();
  if (!info.ok()) {
    SN_LOG(Warning, "model '{}': engine '{}' does not say what it uses: {}", version.name(),
           opened.report.engine, base::message(info.status()));
    return {};
  }
  instance.opened = *std::move(info);
  const device::Device& device = opened.found.device(instance.device);
  instance.fallback = engine::fallen_back(instance.opened, device.abi_kind);
  instance.operators = count_nodes(instance.opened.placement);
  instance.partly = !instance.fallback.empty() || instance.opened.compatibility != SN_CAN_RUN;
  if (!instance.partly) return {};
  const std::string what = fallback_text(instance);
  if (opened.found.placement.instances[place].chosen) return absl::FailedPreconditionError(what);
  if (opened.wishes.strict) {
    return absl::FailedPreconditionError(
        base::str_cat(engine::kStrictDevice, ": ", what, "; choose another device or engine, or ",
                      "leave ", engine::kStrictDevice, " out to accept it"));
  }
  opened.warnings.push_back(what);
  opened.report.warnings.push_back(what);
  return {};
}

base::Status VersionOpener::open_places(const ModelVersion& version, Opened& opened) const {
  for (size_t place = 0; place < opened.report.instances.size(); ++place) {
    const base::Status status = open_place(version, opened, place);
    if (status.ok()) continue;
    const engine::PlacedInstance& placed = opened.found.placement.instances[place];
    if (placed.chosen) {
      opened.disappoints = placed.device;
      opened.learned = opened.report.instances[place].opened;
      if (opened.report.instances[place].partly) {
        opened.learned.compatibility = SN_CAN_RUN_PARTLY;
      } else {
        opened.learned = {};
        opened.learned.compatibility = SN_CAN_NOT_RUN;
        opened.learned.reason = std::string(base::message(status));
      }
    }
    return status;
  }
  return {};
}

// Runs each place's first session once on zeros, and where devices are compared twice: the second
// run shows what a run takes.
base::Status VersionOpener::first_runs(const ModelVersion& version, Opened& opened) const {
  using Time = std::chrono::steady_clock;
  const auto since = [](Time::time_point started) {
    return static_cast<uint64_t>(std::chrono::nanoseconds(Time::now() - started).count());
  };
  for (size_t place = 0; place < opened.report.instances.size(); ++place) {
    InstanceReport& instance = opened.report.instances[place];
    engine::Session& session = *opened.sessions[place].session;
    const auto started = Time::now();
    SN_TRY(try_first_run(version, session));
    instance.first_run_ns = since(started);
    if (engine::wants_cpu_only(opened.wishes)) continue;
    const auto again = Time::now();
    if (!warm_up(session).ok()) continue;
    measured_.note(version.path(), opened.report.engine, opened.report.format, instance.device,
                   since(again));
  }
  return {};
}

base::Status VersionOpener::open(ModelVersion& version, const ModelPlan& plan,
                                 const LoadOptions& options) const {
  Opened opened;
  const base::Status status = open(version, plan, options, opened);
  if (status.ok()) return status;  // it has its report
  if (opened.report.failure.empty()) opened.report.failure = std::string(base::message(status));
  version.set_placement(std::move(opened.report));
  return status;
}

base::Status VersionOpener::open(ModelVersion& version, const ModelPlan& plan,
                                 const LoadOptions& options, Opened& opened) const {
  const LoadMeter meter;
  opened.owner = version.name();
  opened.options = merged_options(plan, options);
  opened.warnings = plan.warnings;
  SN_TRY(find_place(version, plan, options, opened));
  engine::Session& session = *opened.sessions.front().session;
  tensor::ModelDescription& description = opened.found.model().description;
  ModelFacts model_facts =
      facts_of(version, plan, opened.report.engine, opened.found.model(), session.signature());
  model_facts.places = places_of(opened.report);
  SN_ASSIGN(ModelConfig config, resolve_config(plan.config.get(), model_facts, opened.warnings));
  for (const std::string& warning : opened.warnings) {
    SN_LOG(Warning, "model '{}': {}", version.name(), warning);
  }
  for (const std::string& note : description.notes) {
    SN_LOG(Info, "model '{}': {}", version.name(), note);
  }
  std::vector<WarmUpSample> samples;
  if (options.warm_up) {
    SN_ASSIGN(samples, make_warm_up_samples(config, session.signature(), plan.folder));
    if (samples.empty()) SN_TRY(first_runs(version, opened));
  }
  schedule::SchedulerOptions queue = queue_options(plan, config, options, opened.report);
  if (config.proto->response_cache().enable() && queue.cache == nullptr) {
    SN_LOG(Warning, "model '{}': response_cache has no effect: the server has no memory for it",
           version.name());
  }
  prove_batching(version, description, session, queue.batching);
  SN_TRY(open_more(opened, queue.concurrency));
  for (const auto& open : opened.sessions) SN_TRY(run_samples(*open.session, samples));
  finish(version, std::move(config), queue, meter, opened);
  return {};
}

// Most engines allow many runs at once in one session.
base::Status VersionOpener::open_more(Opened& opened, size_t concurrency) const {
  const size_t places = opened.report.instances.size();
  for (size_t place = 0; place < places; ++place) {
    const InstanceReport& instance = opened.report.instances[place];
    const engine::Session& session = *opened.sessions[place].session;
    const auto overlap = static_cast<size_t>(std::max(session.max_concurrency(), 1));
    const size_t wanted = instance.limit > 0 ? instance.limit : concurrency / places;
    while (instance.sessions * overlap < wanted) SN_TRY(open_session(opened, place));
  }
  return {};
}

void VersionOpener::finish(ModelVersion& version, ModelConfig config,
                           const schedule::SchedulerOptions& queue, const LoadMeter& meter,
                           Opened& opened) const {
  const uint64_t engine_bytes = memory_by_engine(*opened.sessions.front().session);
  std::stable_sort(opened.sessions.begin(), opened.sessions.end(),
                   [](const auto& a, const auto& b) { return a.place < b.place; });
  size_t first_session = 0;
  for (InstanceReport& instance : opened.report.instances) {
    instance.first_session = first_session;
    instance.opened.placement = {};
    first_session += instance.sessions;
  }
  std::vector<std::pair<std::unique_ptr<engine::Session>, size_t>> sessions;
  for (auto& open : opened.sessions) sessions.emplace_back(std::move(open.session), open.place);
  auto shared = share_runs(std::move(sessions), opened.report);
  // Threads that run models must not inherit the priority of a loader.
  std::unique_ptr<schedule::Scheduler> scheduler;
  steward_.run(
      [&] { scheduler = std::make_unique<schedule::Scheduler>(std::move(shared), queue); });
  const LoadFacts facts = meter.finish(engine_bytes);
  version.statistics().record_load(facts);
  VersionCost cost;
  cost.load_duration = std::chrono::nanoseconds(facts.load_ns);
  // Weights may be mapped, which no heap shows.
  tensor::ModelDescription& description = opened.found.model().description;
  cost.memory_bytes = std::max(facts.memory_bytes, description.byte_size);
  std::vector<std::string> devices;
  for (const InstanceReport& instance : opened.report.instances) {
    devices.push_back(instance.device);
  }
  SN_LOG(Info, "model '{}' version {} is ready on {} ({}) after {} ms", version.name(),
         version.version(), opened.report.engine, base::str_join(devices, ", "),
         std::chrono::duration_cast<std::chrono::milliseconds>(cost.load_duration).count());
  version.set_placement(std::move(opened.report));
  version.become_ready(std::move(config), std::move(description), std::move(scheduler), cost);
}

}  // namespace supernova::model
