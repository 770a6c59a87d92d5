// The engine "onnxruntime": its function table. Everything else is in runtime, model and run, and
// for other devices than the CPU in device_session and providers/.
#include <supernova/engine.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "engine/abi_calls.h"
#include "engine/onnxruntime/device_session.h"
#include "engine/onnxruntime/opened_model.h"
#include "engine/onnxruntime/providers/placement.h"
#include "engine/onnxruntime/providers/plugins.h"
#include "engine/onnxruntime/providers/provider.h"
#include "engine/onnxruntime/runtime.h"
#include "engine/option_values.h"

namespace supernova::engine::onnxruntime {
namespace {

// OrtSession::Run may overlap without limit; the host's scheduler decides how many it wants.
constexpr int32_t kMaxConcurrency = 64;
constexpr int32_t kScore = 100;
constexpr const char* kFormats[] = {kFormat, kPreparedFormat};

struct EngineObject {
  ~EngineObject() { remove_log_host(host); }
  const Runtime* runtime = nullptr;
  const sn_host* host = nullptr;
  sn_engine_info info{};
};

// All instances of a model on one device share its session.
struct InstanceObject {
  std::shared_ptr<Model> cpu;  // one of these two
  std::shared_ptr<DeviceSession> device;
  // What the last answer of instance_info refers to.
  std::vector<PlacedNode> nodes;
  std::vector<sn_node_placement> placement;
  std::string reason;
};

EngineObject& of(sn_engine* engine) { return *reinterpret_cast<EngineObject*>(engine); }
OpenedModel& of(sn_model* model) { return *reinterpret_cast<OpenedModel*>(model); }
InstanceObject& of(sn_instance* instance) { return *reinterpret_cast<InstanceObject*>(instance); }

int32_t engine_open(const sn_host* host, const sn_options*, sn_engine** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    auto engine = std::make_unique<EngineObject>();
    engine->host = host;
    add_log_host(host);
    SN_ASSIGN(engine->runtime, load_runtime());
    engine->info.size = sizeof(engine->info);
    engine->info.name = "onnxruntime";
    engine->info.version = engine->runtime->version.c_str();
    engine->info.formats = kFormats;
    engine->info.format_count = std::size(kFormats);
    engine->info.max_concurrency = kMaxConcurrency;
    engine->info.can_cancel = 1;
    *out = reinterpret_cast<sn_engine*>(engine.release());
    return {};
  });
}

void engine_close(sn_engine* engine) { delete &of(engine); }

const sn_engine_info* engine_info(sn_engine* engine) { return &of(engine).info; }

// Whether it takes that artefact at all, and on the CPU's terms.
const char* wrong_format(const sn_artefact* artefact, bool on_cpu) {
  const std::string_view format = artefact == nullptr           ? kFormat
                                  : artefact->format != nullptr ? artefact->format
                                                                : "";
  if (format != kFormat && format != kPreparedFormat) {
    return "it runs ONNX models only; convert the model with 'supernova convert'";
  }
  if (format == kPreparedFormat && !on_cpu) {
    return "the model was prepared for the CPU; ask with the ONNX model it was made from";
  }
  return nullptr;
}

int32_t can_run(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                const sn_options* options, sn_verdict* verdict, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    thread_local std::string reason;
    verdict->compatibility = SN_CAN_NOT_RUN;
    const Options given = options_map(options);
    const bool on_cpu = is_for_cpu(*device, given);
    verdict->reason = wrong_format(artefact, on_cpu);
    if (verdict->reason != nullptr) return {};
    if (!on_cpu) {
      const auto provider = choose_provider(*of(engine).runtime, *device, given);
      if (!provider.ok()) {
        reason = std::string(base::message(provider.status()));
        verdict->reason = reason.c_str();
        return {};
      }
    }
    verdict->compatibility = SN_CAN_RUN;
    verdict->score = kScore;
    return {};
  });
}

int32_t model_open(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                   sn_model** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    const EngineObject& object = of(engine);
    const int budget = object.host != nullptr ? object.host->thread_budget : 0;
    SN_ASSIGN(auto model, OpenedModel::open(*object.runtime, *artefact, options_map(options),
                                            std::max(budget, 0)));
    *out = reinterpret_cast<sn_model*>(model.release());
    return {};
  });
}

int32_t compile(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                const sn_options* options, const sn_sink* sink, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    const Options given = options_map(options);
    if (!is_for_cpu(*device, given) || is_for_elsewhere(given)) {
      return absl::UnimplementedError(
          "it compiles for the CPU only; the ONNX model is opened as it is");
    }
    return Model::compile(*of(engine).runtime, *artefact, given, *sink);
  });
}

void model_close(sn_model* model) { delete &of(model); }

const sn_model_info* model_info(sn_model* model) { return &of(model).info(); }

// Nobody who meant another device finds out by the time it takes.
void warn_of_unused(const Options& given) {
  std::vector<std::string> unused;
  for (const auto& [key, value] : given) {
    if (key == kPluginOption || key.starts_with(kProviderPrefix)) unused.push_back(key);
  }
  if (unused.empty()) return;
  log(Level::kWarning,
      base::str_cat("a model is opened on the CPU, where ", base::str_join(unused, ", "),
                    unused.size() == 1 ? " has" : " have", " no effect: name the device, or the ",
                    "provider with the option ", kProviderOption));
}

int32_t instance_open(sn_model* model, const sn_device* device, const sn_options* options,
                      sn_instance** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    auto instance = std::make_unique<InstanceObject>();
    Options given = options_map(options);
    given.insert(of(model).options().begin(), of(model).options().end());
    if (is_for_cpu(*device, given)) {
      SN_TRY(is_strict(given).status());  // all of it runs there; a mistake is one all the same
      warn_of_unused(given);
      SN_ASSIGN(instance->cpu, of(model).on_cpu());
    } else {
      SN_ASSIGN(instance->device, of(model).on_device(*device, given));
    }
    *out = reinterpret_cast<sn_instance*>(instance.release());
    return {};
  });
}

void instance_close(sn_instance* instance) { delete &of(instance); }

void fill_placement(InstanceObject& object, sn_verdict& verdict) {
  object.placement.clear();
  for (const PlacedNode& node : object.nodes) {
    sn_node_placement& placed = object.placement.emplace_back();
    placed.size = sizeof(placed);
    placed.node = node.node.c_str();
    placed.op = node.op.c_str();
    placed.where = node.where.c_str();
    placed.reason = node.reason.empty() ? nullptr : node.reason.c_str();
  }
  verdict.placement = object.placement.data();
  verdict.placement_count = object.placement.size();
}

int32_t instance_info(sn_instance* instance, sn_verdict* verdict, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    InstanceObject& object = of(instance);
    verdict->compatibility = SN_CAN_RUN;
    verdict->score = kScore;
    if (object.device == nullptr) {
      verdict->host_memory_bytes = object.cpu->host_memory_bytes();
      // On the CPU every node is where it should be; they are listed for whoever had them recorded
      // (option session.record_ep_graph_assignment_info=1).
      auto nodes = read_placement(object.cpu->session(), "");
      if (nodes.ok()) object.nodes = *std::move(nodes);
    } else {
      verdict->host_memory_bytes = object.device->host_memory_bytes();
      verdict->device_memory_bytes = object.device->device_memory_bytes();
      object.nodes = object.device->placement();
      object.reason = object.device->fallback();
      if (!object.reason.empty()) {
        verdict->compatibility = SN_CAN_RUN_PARTLY;
        verdict->reason = object.reason.c_str();
      }
    }
    fill_placement(object, *verdict);
    return {};
  });
}

int32_t run(sn_instance* instance, const sn_run* run, sn_error* error) {
  return guarded(error, [&] {
    const InstanceObject& object = of(instance);
    return object.cpu != nullptr ? object.cpu->run(*run) : object.device->run(*run);
  });
}

void cancel(sn_instance* instance, const sn_run* run) {
  const InstanceObject& object = of(instance);
  object.cpu != nullptr ? object.cpu->cancel(*run) : object.device->cancel(*run);
}

sn_engine_api make_table() {
  sn_engine_api table{};
  table.size = sizeof(table);
  table.abi_version = SN_ENGINE_ABI_VERSION;
  table.engine_open = &engine_open;
  table.engine_close = &engine_close;
  table.engine_info = &engine_info;
  table.can_run = &can_run;
  table.compile = &compile;
  table.model_open = &model_open;
  table.model_close = &model_close;
  table.model_info = &model_info;
  table.instance_open = &instance_open;
  table.instance_close = &instance_close;
  table.instance_info = &instance_info;
  table.run = &run;
  table.cancel = &cancel;
  return table;
}

}  // namespace

std::vector<std::string> formats() { return {std::begin(kFormats), std::end(kFormats)}; }

const sn_engine_api* entry(uint32_t host_abi_version) {
  static const sn_engine_api table = make_table();
  return host_abi_version == SN_ENGINE_ABI_VERSION ? &table : nullptr;
}

}  // namespace supernova::engine::onnxruntime
