// The engine "tflite": its function table. Everything else is in model, instance and delegate.
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
#include "engine/tflite/can_run.h"
#include "engine/tflite/instance.h"
#include "engine/tflite/model.h"
#include "engine/tflite/runtime.h"

namespace supernova::engine::tflite {
namespace {

constexpr const char* kFormats[] = {kFormat};
constexpr char kLibraryOption[] = "tflite.library";
constexpr int32_t kWarning = 2;

struct EngineObject {
  const sn_host* host = nullptr;
  std::string library;  // the one asked for, "" = whichever is found
  std::string version;
  sn_engine_info info{};
};

struct ModelObject {
  EngineObject* engine = nullptr;
  std::unique_ptr<Model> model;
};

EngineObject& of(sn_engine* engine) { return *reinterpret_cast<EngineObject*>(engine); }
ModelObject& of(sn_model* model) { return *reinterpret_cast<ModelObject*>(model); }
Instance& of(sn_instance* instance) { return *reinterpret_cast<Instance*>(instance); }

int budget_of(const EngineObject& engine) {
  return engine.host != nullptr ? std::max(engine.host->thread_budget, 0) : 0;
}

// Opens without the library too, so that it can say what is missing.
int32_t engine_open(const sn_host* host, const sn_options* options, sn_engine** out,
                    sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    auto engine = std::make_unique<EngineObject>();
    engine->host = host;
    engine->library = options_map(options)[kLibraryOption];
    const auto runtime = load_runtime(engine->library);
    engine->version = runtime.ok() ? (*runtime)->version : "not installed";
    engine->info.size = sizeof(engine->info);
    engine->info.name = "tflite";
    engine->info.version = engine->version.c_str();
    engine->info.formats = kFormats;
    engine->info.format_count = std::size(kFormats);
    engine->info.max_concurrency = 1;
    engine->info.can_cancel = runtime.ok() && (*runtime)->api.TfLiteInterpreterCancel != nullptr;
    *out = reinterpret_cast<sn_engine*>(engine.release());
    return {};
  });
}

void engine_close(sn_engine* engine) { delete &of(engine); }

const sn_engine_info* engine_info(sn_engine* engine) { return &of(engine).info; }

int32_t can_run(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                const sn_options* options, sn_verdict* verdict, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    judge(of(engine).library, artefact, *device, options_map(options), *verdict);
    return {};
  });
}

int32_t model_open(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                   sn_model** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    SN_ASSIGN(const Runtime* runtime, load_runtime(of(engine).library));
    auto object = std::make_unique<ModelObject>();
    object->engine = &of(engine);
    SN_ASSIGN(object->model, Model::open(*runtime, *artefact, options_map(options)));
    *out = reinterpret_cast<sn_model*>(object.release());
    return {};
  });
}

void model_close(sn_model* model) { delete &of(model); }

const sn_model_info* model_info(sn_model* model) { return &of(model).model->info(); }

int32_t instance_open(sn_model* model, const sn_device* device, const sn_options* options,
                      sn_instance** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    const ModelObject& object = of(model);
    Options merged = options_map(options);
    merged.insert(object.model->options().begin(), object.model->options().end());
    SN_ASSIGN(auto instance,
              Instance::open(*object.model, *device, merged, budget_of(*object.engine)));
    const sn_host* host = object.engine->host;
    if (!instance->fallback().empty() && host != nullptr && host->log != nullptr) {
      host->log(host->ctx, kWarning, base::str_cat("tflite: ", instance->fallback()).c_str());
    }
    *out = reinterpret_cast<sn_instance*>(instance.release());
    return {};
  });
}

void instance_close(sn_instance* instance) { delete &of(instance); }

int32_t instance_info(sn_instance* instance, sn_verdict* verdict, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    of(instance).info(*verdict);
    return {};
  });
}

int32_t run(sn_instance* instance, const sn_run* run, sn_error* error) {
  return guarded(error, [&] { return of(instance).run(*run); });
}

void cancel(sn_instance* instance, const sn_run* run) { of(instance).cancel(*run); }

sn_engine_api make_table() {
  sn_engine_api table{};
  table.size = sizeof(table);
  table.abi_version = SN_ENGINE_ABI_VERSION;
  table.engine_open = &engine_open;
  table.engine_close = &engine_close;
  table.engine_info = &engine_info;
  table.can_run = &can_run;
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

}  // namespace supernova::engine::tflite
