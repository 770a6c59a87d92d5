#include "model/open_version.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "base/usual_priority.h"
#include "model/config_resolve.h"
#include "model/warm_up.h"
#include "model/warm_up_samples.h"
#include "schedule/verify_batching.h"

namespace supernova::model {

namespace {

uint64_t memory_by_engine(const engine::Session& session) {
  const auto info = session.info();
  return info.ok() ? info->host_memory_bytes : 0;
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

base::Status try_first_run(const ModelVersion& version, engine::Session& session,
                           std::chrono::milliseconds most) {
  const base::Status status = warm_up(session, most);
  if (status.ok()) return {};
  if (absl::IsDeadlineExceeded(status) || warm_up_proves(session.signature())) return status;
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

// Runs each place's first session once on zeros, and where devices are compared twice: the second
// run shows what a run takes.
base::Status VersionOpener::first_runs(const ModelVersion& version, OpenSessions& opened) const {
  using Time = std::chrono::steady_clock;
  const auto since = [](Time::time_point started) {
    return static_cast<uint64_t>(std::chrono::nanoseconds(Time::now() - started).count());
  };
  for (size_t place = 0; place < opened.report.instances.size(); ++place) {
    InstanceReport& instance = opened.report.instances[place];
    engine::Session& session = *opened.sessions[place].session;
    const auto started = Time::now();
    SN_TRY(try_first_run(version, session, opened.load_limit));
    instance.first_run_ns = since(started);
    if (engine::wants_cpu_only(opened.wishes)) continue;
    const auto again = Time::now();
    if (!warm_up(session, opened.load_limit).ok()) continue;
    sessions_.note_run(opened, place, since(again));
  }
  return {};
}

base::Status VersionOpener::open(ModelVersion& version, const ModelPlan& plan,
                                 const LoadOptions& options) const {
  OpenSessions opened;
  const base::Status status = open(version, plan, options, opened);
  if (status.ok()) return status;  // it has its report
  if (opened.report.failure.empty()) opened.report.failure = std::string(base::message(status));
  version.set_placement(std::move(opened.report));
  return status;
}

base::Status VersionOpener::open(ModelVersion& version, const ModelPlan& plan,
                                 const LoadOptions& options, OpenSessions& opened) const {
  const LoadMeter meter;
  SN_TRY(sessions_.open(version.name(), version.path(), plan, options, opened));
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
  for (const auto& open : opened.sessions)
    SN_TRY(run_samples(*open.session, samples, opened.load_limit));
  finish(version, std::move(config), queue, meter, opened);
  return {};
}

// Most engines allow many runs at once in one session.
base::Status VersionOpener::open_more(OpenSessions& opened, size_t concurrency) const {
  const size_t places = opened.report.instances.size();
  for (size_t place = 0; place < places; ++place) {
    const InstanceReport& instance = opened.report.instances[place];
    const engine::Session& session = *opened.sessions[place].session;
    const auto overlap = static_cast<size_t>(std::max(session.max_concurrency(), 1));
    const size_t wanted = instance.limit > 0 ? instance.limit : concurrency / places;
    while (instance.sessions * overlap < wanted) {
      SN_TRY(sessions_.open_session(opened, place));
    }
  }
  return {};
}

void VersionOpener::finish(ModelVersion& version, ModelConfig config,
                           const schedule::SchedulerOptions& queue, const LoadMeter& meter,
                           OpenSessions& opened) const {
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
  base::at_usual_priority(
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
