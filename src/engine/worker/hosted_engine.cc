#include "engine/worker/hosted_engine.h"

#include <dlfcn.h>

#include "engine/handles.h"

namespace supernova::engine::worker {
namespace {

base::Status bad_order() {
  return absl::InvalidArgumentError(
      "the worker does not understand what the server says; both must be of one build");
}

base::Status not_open(const char* what) {
  return absl::NotFoundError(base::str_cat("no such ", what, " is open in the worker"));
}

base::Result<sn_engine_entry_fn> entry_of_library(const std::string& path) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat("engine library '", path, "' can't be loaded: ", dlerror()));
  }
  void* const symbol = dlsym(library, "supernova_engine_entry");
  if (symbol == nullptr) {
    return absl::FailedPreconditionError(base::str_cat(
        "engine library '", path,
        "' exports no function supernova_engine_entry; it is not a Supernova engine"));
  }
  return reinterpret_cast<sn_engine_entry_fn>(symbol);
}

}  // namespace

void HostedEngine::close() {
  std::lock_guard lock(mutex_);
  if (engine_ == nullptr || !models_.empty() || !instances_.empty() || !states_.empty()) return;
  api_.engine_close(std::exchange(engine_, nullptr));
}

base::Status HostedEngine::read_table(sn_engine_entry_fn entry, const std::string& what) {
  const sn_engine_api* const table = entry(SN_ENGINE_ABI_VERSION);
  if (table == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat(what, ": does not serve engine ABI version ", SN_ENGINE_ABI_VERSION,
                      "; build it against this server's supernova/engine.h"));
  }
  if (table->size >= offsetof(sn_engine_api, engine_open)) api_ = read_struct(table);
  if (table->size < offsetof(sn_engine_api, engine_open) ||
      api_.abi_version != SN_ENGINE_ABI_VERSION) {
    return absl::FailedPreconditionError(base::str_cat(
        what, ": speaks engine ABI version ", api_.abi_version, ", this server version ",
        SN_ENGINE_ABI_VERSION, "; build it against this server's supernova/engine.h"));
  }
  if (api_.engine_open == nullptr || api_.engine_close == nullptr || api_.engine_info == nullptr ||
      api_.model_open == nullptr || api_.model_close == nullptr || api_.model_info == nullptr ||
      api_.instance_open == nullptr || api_.instance_close == nullptr || api_.run == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat(what, ": its function table is not complete; rebuild the engine"));
  }
  return {};
}

base::Status HostedEngine::start(const StartOrder& order, std::span<const BuiltinEngine> builtin,
                                 Writer& out) {
  sn_engine_entry_fn entry = nullptr;
  std::string what;
  if (!order.library.empty()) {
    what = base::str_cat("engine library '", order.library, "'");
    SN_ASSIGN(entry, entry_of_library(order.library));
  } else {
    what = base::str_cat("engine '", order.engine, "'");
    for (const BuiltinEngine& one : builtin) {
      if (order.engine == one.name) entry = one.entry;
    }
    if (entry == nullptr) {
      return absl::NotFoundError(base::str_cat("the worker has no ", what, " built in"));
    }
  }
  SN_TRY(read_table(entry, what));
  const AbiOptions options(order.options);
  ErrorSlot error;
  SN_TRY(error.check(api_.engine_open(host_, options.get(), &engine_, error.get()), what,
                     "engine_open"));
  const sn_engine_info* const info = engine_ != nullptr ? api_.engine_info(engine_) : nullptr;
  if (info == nullptr) {
    return absl::InternalError(base::str_cat(what, ": engine_open or engine_info gave nothing"));
  }
  write(out, *info);
  return {};
}

base::Result<sn_artefact> HostedEngine::receive(const ArtefactHead& head,
                                                std::vector<base::File>& files,
                                                SharedMemory& data) {
  sn_artefact artefact{};
  artefact.size = sizeof(artefact);
  artefact.format = head.format.c_str();
  artefact.path = head.path.empty() ? nullptr : head.path.c_str();
  artefact.digest = head.digest.empty() ? nullptr : head.digest.c_str();
  if (head.has_data) {
    if (files.empty()) return bad_order();
    SN_ASSIGN(data, SharedMemory::map_sealed(std::move(files.front()), head.data_size));
    // Given, though there are none.
    artefact.data = data.data() != nullptr ? static_cast<const void*>(data.data()) : "";
    artefact.data_size = head.data_size;
  }
  return artefact;
}

base::Status HostedEngine::can_run(Reader& in, std::vector<base::File>& files, Writer& out) {
  const bool has_artefact = in.number() != 0;
  const ArtefactHead head = has_artefact ? read_artefact(in) : ArtefactHead();
  const Device device = read_device(in);
  const OptionPairs pairs = read_options(in);
  if (!in.complete()) return bad_order();
  SharedMemory data;
  SN_ASSIGN(const sn_artefact artefact, receive(head, files, data));
  sn_verdict verdict{};
  verdict.size = sizeof(verdict);
  if (api_.can_run == nullptr) {
    verdict.compatibility = device.kind == SN_DEVICE_CPU ? SN_CAN_RUN : SN_CAN_NOT_RUN;
    if (device.kind != SN_DEVICE_CPU) {
      verdict.reason = "it runs on the CPU only; ask for the device cpu";
    }
    write(out, verdict);
    return {};
  }
  const AbiOptions options(pairs);
  const sn_device asked = device.abi();
  ErrorSlot error;
  SN_TRY(error.check(api_.can_run(engine_, has_artefact ? &artefact : nullptr, &asked,
                                  options.get(), &verdict, error.get()),
                     "the engine", "can_run"));
  write(out, verdict);
  return {};
}

base::Status HostedEngine::compile(Reader& in, std::vector<base::File>& files, const Sink& sink) {
  const ArtefactHead head = read_artefact(in);
  const Device device = read_device(in);
  const OptionPairs pairs = read_options(in);
  if (!in.complete()) return bad_order();
  if (api_.compile == nullptr) {
    return absl::UnimplementedError("the engine does not compile ahead of time");
  }
  SharedMemory data;
  SN_ASSIGN(const sn_artefact artefact, receive(head, files, data));
  const AbiOptions options(pairs);
  const sn_device asked = device.abi();
  const sn_sink to{sizeof(sn_sink), const_cast<Sink*>(&sink),
                   [](void* ctx, const char* name, const void* content, size_t size) -> int32_t {
                     return (*static_cast<Sink*>(ctx))(
                         name != nullptr ? name : "",
                         {static_cast<const std::byte*>(content), size});
                   }};
  ErrorSlot error;
  return error.check(api_.compile(engine_, &artefact, &asked, options.get(), &to, error.get()),
                     "the engine", "compile");
}

base::Status HostedEngine::open_model(Reader& in, std::vector<base::File>& files, Writer& out) {
  const uint64_t key = in.number();
  auto opened = std::make_unique<OpenModel>();
  opened->head = read_artefact(in);
  opened->options = read_options(in);
  if (!in.complete()) return bad_order();
  SN_ASSIGN(const sn_artefact artefact, receive(opened->head, files, opened->data));
  const AbiOptions options(opened->options);
  ErrorSlot error;
  SN_TRY(
      error.check(api_.model_open(engine_, &artefact, options.get(), &opened->model, error.get()),
                  "the engine", "model_open"));
  const sn_model_info* const info =
      opened->model != nullptr ? api_.model_info(opened->model) : nullptr;
  if (info == nullptr) {
    if (opened->model != nullptr) api_.model_close(opened->model);
    return absl::InternalError("model_open succeeded but gave no model, or no signatures");
  }
  write(out, *info);
  std::lock_guard lock(mutex_);
  models_[key] = std::move(opened);
  return {};
}

base::Status HostedEngine::close_model(Reader& in) {
  const uint64_t key = in.number();
  std::unique_ptr<OpenModel> closed;
  {
    std::unique_lock lock(mutex_);
    dropped_.wait(lock, [&] {
      const auto model = models_.find(key);
      return model == models_.end() || model->second->instances == 0;
    });
    const auto found = models_.find(key);
    if (found == models_.end()) return not_open("model");
    closed = std::move(found->second);
    models_.erase(found);
  }
  api_.model_close(closed->model);
  return {};
}

base::Status HostedEngine::open_instance(Reader& in) {
  const uint64_t model_key = in.number();
  const uint64_t key = in.number();
  const Device device = read_device(in);
  const OptionPairs pairs = read_options(in);
  if (!in.complete()) return bad_order();
  sn_model* model = nullptr;
  {
    std::lock_guard lock(mutex_);
    const auto found = models_.find(model_key);
    if (found == models_.end()) return not_open("model");
    model = found->second->model;
    ++found->second->instances;
  }
  const AbiOptions options(pairs);
  const sn_device asked = device.abi();
  sn_instance* instance = nullptr;
  ErrorSlot error;
  base::Status opened =
      error.check(api_.instance_open(model, &asked, options.get(), &instance, error.get()),
                  "the engine", "instance_open");
  if (opened.ok() && instance == nullptr) {
    opened = absl::InternalError("instance_open gave no instance");
  }
  if (!opened.ok()) {
    drop_instance_of(model_key);
    return opened;
  }
  std::lock_guard lock(mutex_);
  instances_[key] = instance;
  models_of_[key] = model_key;
  return {};
}

void HostedEngine::drop_instance_of(uint64_t model) {
  std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  if (found != models_.end()) --found->second->instances;
  dropped_.notify_all();
}

template <typename T>
T* HostedEngine::find(const std::map<uint64_t, T*>& objects, uint64_t key) const {
  std::lock_guard lock(mutex_);
  const auto found = objects.find(key);
  return found != objects.end() ? found->second : nullptr;
}

template <typename T>
T* HostedEngine::take(std::map<uint64_t, T*>& objects, uint64_t key) {
  std::lock_guard lock(mutex_);
  const auto found = objects.find(key);
  if (found == objects.end()) return nullptr;
  T* const taken = found->second;
  objects.erase(found);
  return taken;
}

sn_instance* HostedEngine::instance(uint64_t key) const { return find(instances_, key); }
sn_state* HostedEngine::state(uint64_t key) const { return find(states_, key); }

base::Status HostedEngine::close_instance(Reader& in, const Wait& wait) {
  const uint64_t key = in.number();
  sn_instance* const closed = take(instances_, key);
  if (closed == nullptr) return not_open("instance");
  wait(key);
  api_.instance_close(closed);
  uint64_t model = 0;
  {
    std::lock_guard lock(mutex_);
    const auto found = models_of_.find(key);
    model = found->second;
    models_of_.erase(found);
  }
  drop_instance_of(model);
  return {};
}

base::Status HostedEngine::instance_info(Reader& in, Writer& out) {
  sn_instance* const asked = find(instances_, in.number());
  if (asked == nullptr) return not_open("instance");
  sn_verdict verdict{};
  verdict.size = sizeof(verdict);
  if (api_.instance_info == nullptr) {
    verdict.compatibility = SN_CAN_RUN;
  } else {
    ErrorSlot error;
    SN_TRY(error.check(api_.instance_info(asked, &verdict, error.get()), "the engine",
                       "instance_info"));
  }
  write(out, verdict);
  return {};
}

base::Status HostedEngine::open_state(Reader& in) {
  sn_instance* const owner = find(instances_, in.number());
  const uint64_t key = in.number();
  if (owner == nullptr) return not_open("instance");
  if (api_.state_open == nullptr || api_.state_close == nullptr) {
    return absl::UnimplementedError("the engine keeps no state between runs");
  }
  sn_state* state = nullptr;
  ErrorSlot error;
  SN_TRY(error.check(api_.state_open(owner, &state, error.get()), "the engine", "state_open"));
  if (state == nullptr) return absl::InternalError("state_open gave no state");
  std::lock_guard lock(mutex_);
  states_[key] = state;
  return {};
}

base::Status HostedEngine::close_state(Reader& in, const Wait& wait) {
  const uint64_t key = in.number();
  sn_state* const closed = take(states_, key);
  if (closed == nullptr) return not_open("state");
  wait(key);
  api_.state_close(closed);
  return {};
}

}  // namespace supernova::engine::worker
