#include "model/open_sessions.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/usual_priority.h"
#include "engine/misspelt_option.h"
#include "engine/option_values.h"
#include "model/config_instances.h"

namespace supernova::model {

// A device that was chosen among several and is not as good as its engine said.
struct SessionOpener::Disappointment {
  std::string device;  // "" = none
  engine::Verdict verdict;
};

namespace {

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

// Options that do not do what who wrote them may think.
void note_options(const tensor::Options& options, engine::Isolation isolation,
                  std::vector<std::string>& warnings) {
  for (const auto& [option, value] : options) {
    if (const std::string_view meant = engine::misspelt_option(option); !meant.empty()) {
      warnings.push_back(base::str_cat("there is no option '", option, "'; '", meant, "' is"));
    }
    if (isolation == engine::Isolation::kInProcess && option.starts_with("worker.")) {
      warnings.push_back(base::str_cat("option '", option, "' has no effect: the engine runs in ",
                                       "this process, see the option ", engine::kIsolation));
    }
  }
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

}  // namespace

// What is wished for: on the command line, or in the configuration. Its `backend` or `platform` may
// name an engine; one that is none here may say which framework the model came from:
// resolve_config() knows.
base::Result<engine::Wishes> SessionOpener::wishes_of(const ModelPlan& plan,
                                                      const LoadOptions& options,
                                                      const OpenSessions& opened) const {
  engine::Wishes wishes;
  wishes.engine = options.engine;
  wishes.device = options.device;
  const auto device = opened.options.find(engine::kDevice);
  if (wishes.device.empty() && device != opened.options.end()) wishes.device = device->second;
  SN_ASSIGN(wishes.strict, engine::is_strict(opened.options));
  if (!plan.config) return wishes;
  const auto groups = wished_instances(*plan.config, opened.owner);
  if (!groups.ok()) {
    return base::annotate(groups.status(),
                          base::str_cat("configuration of model '", opened.owner, "'"));
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

base::Status SessionOpener::open(std::string name, std::string path, const ModelPlan& plan,
                                 const LoadOptions& options, OpenSessions& opened) const {
  opened.owner = std::move(name);
  opened.try_again = options.try_again;
  opened.path = std::move(path);
  opened.options = merged_options(plan, options);
  opened.load_limit = catalogue_.load_limit(opened.options);
  opened.warnings = plan.warnings;
  SN_ASSIGN(opened.wishes, wishes_of(plan, options, opened));
  SN_ASSIGN(opened.found,
            finder_.find(opened.path, opened.wishes, opened.options, options.memory_budget));
  while (true) {
    SN_TRY(take_place(plan, opened));
    Disappointment disappointment;
    const base::Status status = open_places(opened, disappointment);
    if (disappointment.device.empty()) return status;
    SN_LOG(Info, "model '{}': {}; looking for another device", opened.owner, base::message(status));
    opened.found.learn(disappointment.device, std::move(disappointment.verdict));
    opened.sessions.clear();
    opened.models.clear();
  }
}

// What was decided, in the report and for the engine.
base::Status SessionOpener::take_place(const ModelPlan& plan, OpenSessions& opened) const {
  opened.report = report_of(opened.found);
  SN_TRY(opened.found.placement.status);
  const device::Device& first = opened.found.device(opened.report.instances.front().device);
  SN_ASSIGN(const engine::Isolation isolation,
            catalogue_.isolation(opened.report.engine, device::to_abi(first), opened.options));
  opened.report.isolation = engine::isolation_name(isolation);
  opened.warnings = plan.warnings;
  note_options(opened.options, isolation, opened.report.warnings);
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

base::Result<std::unique_ptr<engine::Model>> SessionOpener::open_model(engine::Engine& engine,
                                                                       const OpenSessions& opened) {
  tensor::Options options = opened.options;
  if (opened.report.isolation != engine::isolation_name(engine::Isolation::kInProcess)) {
    options[engine::kWorkerModelName] = opened.owner;
    if (!opened.try_again.empty()) options[engine::kWorkerTryAgain] = opened.try_again;
  }
  if (opened.prepared) {
    auto model = engine.open_model(*opened.prepared, options);
    if (model.ok()) return model;
    SN_LOG(Warning, "model file '{}': what was prepared of it can't be opened: {}",
           opened.found.model().description.file, base::message(model.status()));
  }
  return engine.open_model(opened.found.model().artefact, options);
}

base::Status SessionOpener::open_session(OpenSessions& opened, size_t place) const {
  InstanceReport& instance = opened.report.instances[place];
  const device::Device& device = opened.found.device(instance.device);
  const auto open = [&]() -> base::Status {
    SN_ASSIGN(const auto engine, catalogue_.use(opened.report.engine, device::to_abi(device),
                                                opened.options, opened.owner));
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
  // Threads that an engine starts inherit the priority of the thread that opens it, for ever. Those
  // in a worker don't, and a worker may take its time.
  if (!opened.options.contains(engine::kIntraOpThreads)) return open();
  SN_ASSIGN(const engine::Isolation isolation,
            catalogue_.isolation(opened.report.engine, device::to_abi(device), opened.options));
  if (isolation != engine::Isolation::kInProcess) return open();
  base::Status status;
  base::at_usual_priority([&] { status = open(); });
  return status;
}

// Opens the first session of a place. What does not run on the device asked for is never passed
// over.
base::Status SessionOpener::open_place(OpenSessions& opened, size_t place) const {
  SN_TRY(open_session(opened, place));
  InstanceReport& instance = opened.report.instances[place];
  auto info = opened.sessions.back().session->info();
  // Its worker's device was lost; the next worker says what it is there.
  if (absl::IsUnavailable(info.status())) info = opened.sessions.back().session->info();
  if (!info.ok()) {
    SN_LOG(Warning, "model '{}': engine '{}' does not say what it uses: {}", opened.owner,
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

base::Status SessionOpener::open_places(OpenSessions& opened,
                                        Disappointment& disappointment) const {
  for (size_t place = 0; place < opened.report.instances.size(); ++place) {
    const base::Status status = open_place(opened, place);
    if (status.ok()) continue;
    const engine::PlacedInstance& placed = opened.found.placement.instances[place];
    if (placed.chosen) {
      disappointment.device = placed.device;
      engine::Verdict& verdict = disappointment.verdict;
      if (opened.report.instances[place].partly) {
        verdict = opened.report.instances[place].opened;
        verdict.compatibility = SN_CAN_RUN_PARTLY;
      } else {
        verdict.compatibility = SN_CAN_NOT_RUN;
        verdict.reason = std::string(base::message(status));
      }
    }
    return status;
  }
  return {};
}

void SessionOpener::note_run(const OpenSessions& opened, size_t place, uint64_t ns) const {
  measured_.note(opened.path, opened.report.engine, opened.report.format,
                 opened.report.instances[place].device, ns);
}

}  // namespace supernova::model
