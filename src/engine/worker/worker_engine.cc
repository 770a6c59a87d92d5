// The function table: handles to objects, Status to sn_error, and no exception out.
#include "engine/worker/worker_engine.h"

#include <new>

#include "engine/abi_calls.h"
#include "engine/handles.h"
#include "engine/worker/remote_engine.h"

namespace supernova::engine::worker {
namespace {

using ModelPtr = std::shared_ptr<RemoteModel>;

RemoteEngine& of(sn_engine* engine) { return *reinterpret_cast<RemoteEngine*>(engine); }
ModelPtr& of(sn_model* model) { return *reinterpret_cast<ModelPtr*>(model); }
RemoteInstance& of(sn_instance* instance) { return *reinterpret_cast<RemoteInstance*>(instance); }

int32_t engine_open(const sn_host* host, const sn_options* options, sn_engine** out,
                    sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    SN_ASSIGN(auto engine, RemoteEngine::open(host, options));
    *out = reinterpret_cast<sn_engine*>(engine.release());
    return {};
  });
}

void engine_close(sn_engine* engine) {
  RemoteEngine::end(std::unique_ptr<RemoteEngine>(&of(engine)));
}

const sn_engine_info* engine_info(sn_engine* engine) { return &of(engine).info(); }

int32_t can_run(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                const sn_options* options, sn_verdict* verdict, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    // Its pointers live until the next can_run on this thread.
    thread_local std::unique_ptr<Verdict> last;
    SN_ASSIGN(last, of(engine).can_run(artefact, *device, options));
    last->copy_to(*verdict);
    return {};
  });
}

int32_t compile(sn_engine* engine, const sn_artefact* artefact, const sn_device* device,
                const sn_options* options, const sn_sink* sink, sn_error* error) {
  return guarded(error, [&] { return of(engine).compile(*artefact, *device, options, *sink); });
}

int32_t model_open(sn_engine* engine, const sn_artefact* artefact, const sn_options* options,
                   sn_model** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    SN_ASSIGN(ModelPtr model, of(engine).open_model(*artefact, options));
    *out = reinterpret_cast<sn_model*>(new ModelPtr(std::move(model)));
    return {};
  });
}

void model_close(sn_model* model) {
  of(model)->engine->close_model(of(model));
  delete &of(model);
}

const sn_model_info* model_info(sn_model* model) { return &of(model)->info->get(); }

int32_t instance_open(sn_model* model, const sn_device* device, const sn_options* options,
                      sn_instance** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    SN_ASSIGN(auto instance, of(model)->engine->open_instance(of(model), *device, options));
    *out = reinterpret_cast<sn_instance*>(instance.release());
    return {};
  });
}

void instance_close(sn_instance* instance) {
  of(instance).model->engine->close_instance(of(instance));
  delete &of(instance);
}

int32_t instance_info(sn_instance* instance, sn_verdict* verdict, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    RemoteInstance& asked = of(instance);
    return asked.model->engine->instance_info(asked, *verdict);
  });
}

int32_t run(sn_instance* instance, const sn_run* run, sn_error* error) {
  try {
    return of(instance).model->engine->run(of(instance), *run, error);
  } catch (const std::bad_alloc&) {
    return fail(absl::ResourceExhaustedError("out of memory"), error);
  }
}

void cancel(sn_instance* instance, const sn_run* run) { of(instance).model->engine->cancel(*run); }

int32_t state_open(sn_instance* instance, sn_state** out, sn_error* error) {
  return guarded(error, [&]() -> base::Status {
    SN_ASSIGN(auto state, of(instance).model->engine->open_state(of(instance)));
    *out = reinterpret_cast<sn_state*>(state.release());
    return {};
  });
}

void state_close(sn_state* state) {
  auto* const closed = reinterpret_cast<RemoteState*>(state);
  closed->instance->model->engine->close_state(*closed);
  delete closed;
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
  table.state_open = &state_open;
  table.state_close = &state_close;
  return table;
}

}  // namespace

const sn_engine_api* worker_engine_entry(uint32_t host_abi_version) {
  static const sn_engine_api table = make_table();
  return host_abi_version == SN_ENGINE_ABI_VERSION ? &table : nullptr;
}

}  // namespace supernova::engine::worker
