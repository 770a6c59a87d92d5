#include "model/open_version.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/log.h"
#include "model/config_resolve.h"
#include "model/warm_up.h"
#include "model/warm_up_samples.h"
#include "schedule/verify_batching.h"

namespace supernova::model {

struct VersionOpener::Opened {
  tensor::Options options;
  std::vector<std::string> warnings;
  tensor::ImportedModel imported;
  std::shared_ptr<engine::Engine> place;  // where the engine runs this model
  engine::Engine* engine = nullptr;
  std::optional<engine::Artefact> prepared;  // what the engine opens faster
  std::unique_ptr<engine::Model> model;
  std::vector<std::unique_ptr<engine::Session>> sessions;
};

namespace {

const sn_device kCpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};

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

ModelFacts facts_of(const ModelVersion& version, const ModelPlan& plan,
                    const engine::Engine& engine, const tensor::ImportedModel& imported,
                    const engine::Signature& signature) {
  ModelFacts facts;
  facts.name = version.name();
  facts.engine = engine.name();
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
                                         const LoadOptions& options) {
  auto queue = schedule::scheduler_options(*config.proto, options.queue);
  // Where no number was asked for, the configuration in use says 1.
  if (!plan.config || plan.config->instance_group().empty()) {
    queue.concurrency = options.queue.concurrency;
  }
  return queue;
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

// The engine that is named, on the command line or by `backend` or `platform` of the configuration;
// null = none is. A backend that isn't an engine here may say which framework the model came from:
// resolve_config() knows.
base::Result<engine::Engine*> VersionOpener::named_engine(const ModelPlan& plan,
                                                          const LoadOptions& options) const {
  if (!options.engine.empty()) return catalogue_.find(options.engine);
  if (!plan.config) return nullptr;
  std::string name = plan.config->backend();
  const std::string& platform = plan.config->platform();
  if (name.empty()) name = platform.substr(0, platform.rfind('_'));
  if (name.empty()) return nullptr;
  const auto names = catalogue_.names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return catalogue_.find(name);
  return nullptr;
}

base::Status VersionOpener::import(const ModelVersion& version, const ModelPlan& plan,
                                   const LoadOptions& options, Opened& opened) const {
  const auto place = [&]() -> base::Status {
    SN_ASSIGN(opened.place,
              catalogue_.use(opened.engine->name(), kCpu, opened.options, version.name()));
    opened.engine = opened.place.get();
    return {};
  };
  SN_ASSIGN(opened.engine, named_engine(plan, options));
  if (opened.engine != nullptr && opened.engine->accepts_format("*")) {
    // The engine reads files of its own; there is nothing to import.
    opened.imported.artefact.path = version.path();
    opened.imported.artefact.format = opened.engine->name();
    return place();
  }
  SN_ASSIGN(opened.imported, provider_.provide(version.path(), opened.options));
  if (opened.engine == nullptr) {
    SN_ASSIGN(opened.engine, catalogue_.choose(opened.imported.artefact, kCpu, opened.options));
  }
  opened.prepared = provider_.prepare(opened.imported, opened.engine->name(), opened.options);
  return place();
}

base::Result<std::unique_ptr<engine::Model>> VersionOpener::open_model(Opened& opened) {
  if (opened.prepared) {
    auto model = opened.engine->open_model(*opened.prepared, opened.options);
    if (model.ok()) return model;
    SN_LOG(Warning, "model file '{}': what was prepared of it can't be opened: {}",
           opened.imported.description.file, base::message(model.status()));
  }
  return opened.engine->open_model(opened.imported.artefact, opened.options);
}

base::Status VersionOpener::open_session(Opened& opened) const {
  const auto open = [&]() -> base::Status {
    if (opened.model == nullptr) {
      SN_ASSIGN(opened.model, open_model(opened));
    }
    SN_ASSIGN(auto session, opened.model->open_session(kCpu, opened.options));
    opened.sessions.push_back(std::move(session));
    return {};
  };
  // Threads that an engine starts inherit the priority of the thread that opens it, for ever.
  if (!opened.options.contains("intra_op_threads")) return open();
  base::Status status;
  steward_.run([&] { status = open(); });
  return status;
}

base::Status VersionOpener::open(ModelVersion& version, const ModelPlan& plan,
                                 const LoadOptions& options) const {
  const LoadMeter meter;
  Opened opened;
  opened.options = merged_options(plan, options);
  opened.warnings = plan.warnings;
  SN_TRY(import(version, plan, options, opened));
  SN_TRY(open_session(opened));
  SN_ASSIGN(ModelConfig config,
            resolve_config(plan.config.get(),
                           facts_of(version, plan, *opened.engine, opened.imported,
                                    opened.sessions.front()->signature()),
                           opened.warnings));
  for (const std::string& warning : opened.warnings) {
    SN_LOG(Warning, "model '{}': {}", version.name(), warning);
  }
  for (const std::string& note : opened.imported.description.notes) {
    SN_LOG(Info, "model '{}': {}", version.name(), note);
  }
  engine::Session& session = *opened.sessions.front();
  std::vector<WarmUpSample> samples;
  if (options.warm_up) {
    SN_ASSIGN(samples, make_warm_up_samples(config, session.signature(), plan.folder));
    if (samples.empty()) SN_TRY(try_first_run(version, session));
  }
  schedule::SchedulerOptions queue = queue_options(plan, config, options);
  if (config.proto->response_cache().enable() && queue.cache == nullptr) {
    SN_LOG(Warning, "model '{}': response_cache has no effect: the server has no memory for it",
           version.name());
  }
  prove_batching(version, opened.imported.description, session, queue.batching);
  // Most engines allow many runs at once in one session.
  const auto overlap = static_cast<size_t>(std::max(session.max_concurrency(), 1));
  while (opened.sessions.size() * overlap < queue.concurrency) SN_TRY(open_session(opened));
  for (const auto& instance : opened.sessions) SN_TRY(run_samples(*instance, samples));
  const uint64_t engine_bytes = memory_by_engine(session);
  // Threads that run models must not inherit the priority of a loader.
  std::unique_ptr<schedule::Scheduler> scheduler;
  steward_.run([&] {
    scheduler = std::make_unique<schedule::Scheduler>(std::move(opened.sessions), queue);
  });
  const LoadFacts facts = meter.finish(engine_bytes);
  version.statistics().record_load(facts);
  VersionCost cost;
  cost.load_duration = std::chrono::nanoseconds(facts.load_ns);
  // Weights may be mapped, which no heap shows.
  cost.memory_bytes = std::max(facts.memory_bytes, opened.imported.description.byte_size);
  version.become_ready(std::move(config), std::move(opened.imported.description),
                       std::move(scheduler), cost);
  SN_LOG(Info, "model '{}' version {} is ready on {} after {} ms", version.name(),
         version.version(), opened.engine->name(),
         std::chrono::duration_cast<std::chrono::milliseconds>(cost.load_duration).count());
  return {};
}

}  // namespace supernova::model
