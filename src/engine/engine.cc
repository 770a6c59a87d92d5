#include "engine/engine.h"

#include <dlfcn.h>

#include <algorithm>

#include "device/cpu_limits.h"
#include "engine/handles.h"

namespace supernova::engine {
namespace {

void host_log(void*, int32_t level, const char* message) {
  const auto wanted = static_cast<base::LogLevel>(std::clamp(level, 0, 3));
  if (wanted >= base::log_level() && message != nullptr) base::log(wanted, message);
}

void* host_allocate(void*, size_t byte_size, size_t alignment) {
  const size_t aligned = std::max(alignment, sizeof(void*));
  if ((aligned & (aligned - 1)) != 0) return nullptr;
  void* memory = nullptr;
  return posix_memalign(&memory, aligned, std::max<size_t>(byte_size, 1)) == 0 ? memory : nullptr;
}

void host_deallocate(void*, void* memory, size_t) { std::free(memory); }

// Every function that is not marked "may be null" in the ABI.
base::Status check_table(const sn_engine_api& api, std::string_view what) {
  const std::pair<const char*, bool> needed[] = {
      {"engine_open", api.engine_open != nullptr},
      {"engine_close", api.engine_close != nullptr},
      {"engine_info", api.engine_info != nullptr},
      {"model_open", api.model_open != nullptr},
      {"model_close", api.model_close != nullptr},
      {"model_info", api.model_info != nullptr},
      {"instance_open", api.instance_open != nullptr},
      {"instance_close", api.instance_close != nullptr},
      {"run", api.run != nullptr},
  };
  for (const auto& [name, present] : needed) {
    if (!present) {
      return absl::FailedPreconditionError(
          base::str_cat(what, ": its function table lacks ", name, "; rebuild the engine"));
    }
  }
  return {};
}

base::Status read_table(sn_engine_entry_fn entry, std::string_view what, EngineHandle& handle) {
  const sn_engine_api* table = entry(SN_ENGINE_ABI_VERSION);
  if (table == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat(what, ": does not serve engine ABI version ", SN_ENGINE_ABI_VERSION,
                      "; build it against this server's supernova/engine.h"));
  }
  if (table->size < offsetof(sn_engine_api, engine_open)) {
    return absl::FailedPreconditionError(
        base::str_cat(what, ": its function table says it has ", table->size,
                      " bytes, too few to carry an ABI version; rebuild the engine"));
  }
  handle.api = read_struct(table);
  if (handle.api.abi_version != SN_ENGINE_ABI_VERSION) {
    return absl::FailedPreconditionError(base::str_cat(
        what, ": speaks engine ABI version ", handle.api.abi_version, ", this server version ",
        SN_ENGINE_ABI_VERSION, "; build it against this server's supernova/engine.h"));
  }
  return check_table(handle.api, what);
}

base::Status read_info(EngineHandle& handle, std::string_view what) {
  const sn_engine_info* given = handle.api.engine_info(handle.engine);
  if (given == nullptr) {
    return absl::InternalError(base::str_cat(what, ": engine_info returned nothing"));
  }
  const sn_engine_info info = read_struct(given);
  if (info.name == nullptr || *info.name == '\0') {
    return absl::InternalError(base::str_cat(what, ": engine_info gives no name"));
  }
  handle.name = info.name;
  handle.version = info.version != nullptr ? info.version : "";
  for (size_t i = 0; i < info.format_count; ++i) {
    if (info.formats[i] != nullptr) handle.formats.emplace_back(info.formats[i]);
  }
  handle.max_concurrency = std::max(1, info.max_concurrency);
  handle.can_cancel = handle.api.cancel != nullptr && info.can_cancel != 0;
  return {};
}

base::Result<std::shared_ptr<EngineHandle>> open_engine(std::shared_ptr<EngineHandle> handle,
                                                        sn_engine_entry_fn entry,
                                                        std::string_view what,
                                                        const Options& options) {
  SN_TRY(read_table(entry, what, *handle));
  handle->host.size = sizeof(sn_host);
  handle->host.log = &host_log;
  handle->host.allocate = &host_allocate;
  handle->host.deallocate = &host_deallocate;
  handle->host.thread_budget = device::process_thread_budget();
  const OptionList list(options);
  ErrorSlot error;
  SN_TRY(
      error.check(handle->api.engine_open(&handle->host, list.get(), &handle->engine, error.get()),
                  what, "engine_open"));
  if (handle->engine == nullptr) {
    return absl::InternalError(base::str_cat(what, ": engine_open succeeded but gave no engine"));
  }
  SN_TRY(read_info(*handle, what));
  return handle;
}

base::Result<tensor::TensorInfo> read_tensor_info(const sn_tensor_info& given,
                                                  std::string_view what) {
  if (given.name == nullptr) {
    return absl::InternalError(base::str_cat(what, ": a tensor of its signature has no name"));
  }
  tensor::TensorInfo info;
  info.name = given.name;
  info.data_type = static_cast<tensor::DataType>(given.dtype);
  if (tensor::data_type_name(info.data_type).empty() || given.dtype == SN_DTYPE_INVALID) {
    return absl::InternalError(base::str_cat(what, ": tensor '", info.name,
                                             "' of its signature has the unknown datatype ",
                                             given.dtype));
  }
  info.rank_known = given.rank >= 0;
  info.optional = given.optional != 0;
  info.is_state = given.is_state != 0;
  for (int32_t i = 0; i < given.rank; ++i) {
    info.shape.push_back(given.dims[i] < 0 ? -1 : given.dims[i]);
    if (given.dim_names != nullptr) {
      info.dim_names.emplace_back(given.dim_names[i] != nullptr ? given.dim_names[i] : "");
    }
  }
  return info;
}

base::Status read_signatures(ModelHandle& handle) {
  const std::string what = base::str_cat("engine '", handle.engine->name, "'");
  const sn_model_info* given = handle.engine->api.model_info(handle.model);
  const sn_model_info info = given != nullptr ? read_struct(given) : sn_model_info{};
  if (info.signature_count == 0) {
    return absl::InternalError(base::str_cat(what, ": model_info gives no signature"));
  }
  for (size_t s = 0; s < info.signature_count; ++s) {
    const sn_signature from = read_struct(element(info.signatures, s));
    Signature signature;
    signature.name = from.name != nullptr ? from.name : "";
    for (size_t i = 0; i < from.input_count; ++i) {
      SN_ASSIGN(auto input, read_tensor_info(read_struct(element(from.inputs, i)), what));
      signature.inputs.push_back(std::move(input));
    }
    for (size_t i = 0; i < from.output_count; ++i) {
      SN_ASSIGN(auto output, read_tensor_info(read_struct(element(from.outputs, i)), what));
      signature.outputs.push_back(std::move(output));
    }
    handle.signatures.push_back(std::move(signature));
  }
  return {};
}

// An Engine::Sink as the ABI wants it.
struct SinkAdapter {
  const Engine::Sink& sink;
  base::Status status;

  static int32_t write(void* ctx, const char* name, const void* data, size_t byte_size) {
    auto& self = *static_cast<SinkAdapter*>(ctx);
    if (!self.status.ok()) return static_cast<int32_t>(self.status.code());
    if (name == nullptr || (data == nullptr && byte_size > 0)) {
      self.status = absl::InternalError("the engine hands over a file without a name or content");
    } else {
      self.status = self.sink(name, {static_cast<const std::byte*>(data), byte_size});
    }
    return static_cast<int32_t>(self.status.code());
  }
};

}  // namespace

sn_artefact to_abi(const Artefact& artefact) {
  sn_artefact out{};
  out.size = sizeof(out);
  out.format = artefact.format.c_str();
  out.path = artefact.path.empty() ? nullptr : artefact.path.c_str();
  out.data = artefact.bytes.data();
  out.data_size = artefact.bytes.size();
  out.digest = artefact.digest.empty() ? nullptr : artefact.digest.c_str();
  return out;
}

Verdict read_verdict(const sn_verdict& from) {
  Verdict verdict;
  verdict.compatibility = static_cast<sn_compatibility>(from.compatibility);
  verdict.score = from.score;
  verdict.reason = from.reason != nullptr ? from.reason : "";
  const auto text = [](const char* s) { return std::string(s != nullptr ? s : ""); };
  for (size_t i = 0; i < from.placement_count; ++i) {
    const sn_node_placement node = read_struct(element(from.placement, i));
    verdict.placement.push_back(
        {text(node.node), text(node.op), text(node.where), text(node.reason)});
  }
  verdict.expected_latency_ns = from.expected_latency_ns;
  verdict.host_memory_bytes = from.host_memory_bytes;
  verdict.device_memory_bytes = from.device_memory_bytes;
  return verdict;
}

OptionList::OptionList(const Options& options) {
  for (const auto& [key, value] : options) items_.push_back({key.c_str(), value.c_str()});
  list_.size = sizeof(list_);
  list_.items = items_.data();
  list_.count = items_.size();
}

base::Status ErrorSlot::check(int32_t code, std::string_view what, std::string_view function) {
  if (code == SN_OK) return {};
  error_.message[sizeof(error_.message) - 1] = '\0';
  const std::string_view message = error_.message;
  return to_status(code, message.empty()
                             ? base::str_cat(what, ": ", function, " failed without a message")
                             : std::string(message));
}

base::Status to_status(int32_t code, std::string_view message) {
  const bool known = code > 0 && code <= 16;
  return base::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                      absl::string_view(message.data(), message.size()));
}

EngineHandle::~EngineHandle() {
  if (engine != nullptr) api.engine_close(engine);
  if (library != nullptr) dlclose(library);
}

ModelHandle::~ModelHandle() {
  if (model != nullptr) engine->api.model_close(model);
}

base::Result<std::unique_ptr<Engine>> Engine::open(sn_engine_entry_fn entry, const Options& options,
                                                   std::string_view what, std::string name) {
  std::unique_ptr<Engine> engine(new Engine);
  SN_ASSIGN(engine->handle_, open_engine(std::make_shared<EngineHandle>(), entry, what, options));
  if (!name.empty()) engine->handle_->name = std::move(name);
  return engine;
}

base::Result<std::unique_ptr<Engine>> Engine::open_library(const std::string& path,
                                                           const Options& options,
                                                           std::string name) {
  auto handle = std::make_shared<EngineHandle>();
  handle->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle->library == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat("engine library '", path, "' can't be loaded: ", dlerror()));
  }
  void* symbol = dlsym(handle->library, "supernova_engine_entry");
  if (symbol == nullptr) {
    return absl::FailedPreconditionError(base::str_cat(
        "engine library '", path,
        "' exports no function supernova_engine_entry; it is not a Supernova engine"));
  }
  std::unique_ptr<Engine> engine(new Engine);
  SN_ASSIGN(engine->handle_,
            open_engine(std::move(handle), reinterpret_cast<sn_engine_entry_fn>(symbol),
                        base::str_cat("engine library '", path, "'"), options));
  if (!name.empty()) engine->handle_->name = std::move(name);
  return engine;
}

const std::string& Engine::name() const { return handle_->name; }
const std::string& Engine::version() const { return handle_->version; }
const std::vector<std::string>& Engine::formats() const { return handle_->formats; }

bool Engine::can_cancel() const { return handle_->can_cancel; }

bool Engine::accepts_format(std::string_view format) const {
  return std::any_of(handle_->formats.begin(), handle_->formats.end(),
                     [&](const std::string& f) { return f == "*" || f == format; });
}

base::Result<Verdict> Engine::can_run(const Artefact& artefact, const sn_device& device,
                                      const Options& options) {
  const sn_artefact given = to_abi(artefact);
  return ask(&given, device, options);
}

base::Result<Verdict> Engine::can_drive(const sn_device& device, const Options& options) {
  return ask(nullptr, device, options);
}

base::Result<Verdict> Engine::ask(const sn_artefact* artefact, const sn_device& device,
                                  const Options& options) {
  if (handle_->api.can_run == nullptr) {
    Verdict verdict;
    if (device.kind != SN_DEVICE_CPU) {
      verdict.compatibility = SN_CAN_NOT_RUN;
      verdict.reason = "it runs on the CPU only; ask for the device cpu";
    }
    return verdict;
  }
  const OptionList list(options);
  sn_verdict verdict{};
  verdict.size = sizeof(verdict);
  ErrorSlot error;
  SN_TRY(error.check(
      handle_->api.can_run(handle_->engine, artefact, &device, list.get(), &verdict, error.get()),
      base::str_cat("engine '", name(), "'"), "can_run"));
  return read_verdict(verdict);
}

base::Result<std::unique_ptr<Model>> Engine::open_model(const Artefact& artefact,
                                                        const Options& options) {
  const std::string what = base::str_cat("engine '", name(), "'");
  if (!accepts_format(artefact.format)) {
    return absl::InvalidArgumentError(
        base::str_cat(what, " does not take artefacts of the format '", artefact.format, "'"));
  }
  auto handle = std::make_shared<ModelHandle>();
  handle->engine = handle_;
  handle->artefact = artefact;
  const sn_artefact given = to_abi(handle->artefact);
  const OptionList list(options);
  ErrorSlot error;
  SN_TRY(error.check(
      handle_->api.model_open(handle_->engine, &given, list.get(), &handle->model, error.get()),
      what, "model_open"));
  if (handle->model == nullptr) {
    return absl::InternalError(base::str_cat(what, ": model_open succeeded but gave no model"));
  }
  SN_TRY(read_signatures(*handle));
  std::unique_ptr<Model> model(new Model);
  model->handle_ = std::move(handle);
  return model;
}

bool Engine::can_compile() const { return handle_->api.compile != nullptr; }

base::Status Engine::compile(const Artefact& artefact, const sn_device& device,
                             const Options& options, const Sink& sink) {
  const std::string what = base::str_cat("engine '", name(), "'");
  if (!can_compile()) {
    return absl::UnimplementedError(base::str_cat(what, " does not compile ahead of time"));
  }
  const sn_artefact given = to_abi(artefact);
  const OptionList list(options);
  SinkAdapter adapter{sink, {}};
  const sn_sink to{sizeof(sn_sink), &adapter, &SinkAdapter::write};
  ErrorSlot error;
  const base::Status status = error.check(
      handle_->api.compile(handle_->engine, &given, &device, list.get(), &to, error.get()), what,
      "compile");
  // What the sink said tells more than the engine's report of it.
  return adapter.status.ok() ? status : adapter.status;
}

const std::vector<Signature>& Model::signatures() const { return handle_->signatures; }

}  // namespace supernova::engine
