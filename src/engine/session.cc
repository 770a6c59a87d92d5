// Session: one request becomes one sn_run, its response becomes one Completion.
#include <absl/container/inlined_vector.h>

#include <atomic>
#include <chrono>
#include <variant>

#include "engine/engine.h"
#include "engine/handles.h"

namespace supernova::engine {

struct Session::Impl {
  ~Impl() {
    if (instance != nullptr) model->engine->api.instance_close(instance);
  }
  std::shared_ptr<ModelHandle> model;
  sn_instance* instance = nullptr;
};

namespace {

using tensor::Buffer;
using tensor::Tensor;

// Most models have one or two inputs and outputs: those need no memory of their own.
template <typename T>
using Few = absl::InlinedVector<T, 2>;

// Everything an sn_run points to. Lives until the final response (it holds itself until then) and
// until Session::run has returned.
struct Run {
  std::shared_ptr<Run> self;
  std::shared_ptr<ModelHandle> model;
  tensor::Completion done;
  std::string id;
  Few<Tensor> inputs;   // share the request's memory
  Few<Tensor> outputs;  // in the order asked for; with memory where it is caller-owned
  Few<sn_tensor> abi_inputs;
  Few<sn_tensor> abi_outputs;
  Options parameter_texts;
  std::vector<sn_option> parameter_items;
  sn_options parameters{};
  sn_run run{};
  tensor::Timing::Point compute_start;
  std::atomic<bool> finished{false};
  bool answered = false;
  base::Result<tensor::Response> response = tensor::Response{};
};

sn_tensor to_abi(const char* name, const Tensor& tensor) {
  sn_tensor out{};
  out.size = sizeof(out);
  out.name = name;
  out.dtype = static_cast<int32_t>(tensor.data_type);
  out.rank = static_cast<int32_t>(tensor.shape.size());
  out.dims = tensor.shape.data();
  out.buffer.size = sizeof(out.buffer);
  out.buffer.data = const_cast<std::byte*>(tensor.buffer.data());
  out.buffer.byte_size = tensor.buffer.size();
  out.buffer.device.size = sizeof(sn_device);
  return out;
}

const tensor::TensorInfo* find(const std::vector<tensor::TensorInfo>& infos,
                               std::string_view name) {
  for (const auto& info : infos) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

// "'a', 'b'": the names of tensors or signatures, for errors.
template <typename Named>
std::string names_of(const std::vector<Named>& items) {
  std::vector<std::string> names;
  for (const Named& item : items) names.push_back(base::str_cat("'", item.name, "'"));
  return base::str_join(names, ", ");
}

base::Result<uint32_t> signature_index(const ModelHandle& model, const tensor::Request& request) {
  if (model.signatures.size() == 1) return 0;
  const auto found = request.parameters.find("signature_name");
  if (found == request.parameters.end()) return 0;
  const auto* name = std::get_if<std::string>(&found->second);
  if (name == nullptr) {
    return absl::InvalidArgumentError("the parameter 'signature_name' must be a string");
  }
  for (size_t i = 0; i < model.signatures.size(); ++i) {
    if (model.signatures[i].name == *name) return static_cast<uint32_t>(i);
  }
  return absl::InvalidArgumentError(
      base::str_cat("no signature '", *name, "'; there is: ", names_of(model.signatures)));
}

base::Status add_inputs(const Signature& signature, const tensor::Request& request, Run& run) {
  run.inputs.assign(request.inputs.begin(), request.inputs.end());
  run.abi_inputs.reserve(run.inputs.size());
  for (const Tensor& input : run.inputs) {
    const auto* info = find(signature.inputs, input.name);
    if (info == nullptr) {
      return absl::InvalidArgumentError(base::str_cat("the model has no input '", input.name,
                                                      "'; it has: ", names_of(signature.inputs)));
    }
    if (info->data_type != input.data_type) {
      return absl::InvalidArgumentError(base::str_cat(
          "input '", input.name, "' must be ", tensor::data_type_name(info->data_type), ", not ",
          tensor::data_type_name(input.data_type)));
    }
    run.abi_inputs.push_back(to_abi(input.name.c_str(), input));
  }
  for (const auto& info : signature.inputs) {
    const auto given = std::count_if(run.inputs.begin(), run.inputs.end(),
                                     [&](const Tensor& t) { return t.name == info.name; });
    if (given == 0 && !info.optional) {
      return absl::InvalidArgumentError(base::str_cat("the input '", info.name, "' is missing"));
    }
    if (given > 1) {
      return absl::InvalidArgumentError(
          base::str_cat("the input '", info.name, "' is given ", given, " times"));
    }
  }
  return {};
}

// A declared shape is only a claim; beyond this the engine brings memory for what there really is.
constexpr size_t kMaxLentBytes = size_t{1} << 30;

// Memory for an output of fully known shape; none where the engine has to bring it, which it also
// has to when there is not enough for the declared shape.
void lend_memory(const tensor::TensorInfo& info, Tensor& output) {
  const bool known = info.rank_known && std::all_of(info.shape.begin(), info.shape.end(),
                                                    [](int64_t size) { return size >= 0; });
  if (!known || tensor::element_size(info.data_type) == 0) return;
  const auto byte_size = tensor::byte_size(info.data_type, info.shape);
  if (!byte_size.ok() || *byte_size > kMaxLentBytes) return;
  output.buffer = Buffer::allocate(*byte_size);
  if (output.buffer.data() != nullptr) output.shape = info.shape;
}

base::Status add_outputs(const Signature& signature, const tensor::Request& request, Run& run) {
  const size_t count = request.outputs.empty() ? signature.outputs.size() : request.outputs.size();
  run.outputs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const auto* info = request.outputs.empty() ? &signature.outputs[i]
                                               : find(signature.outputs, request.outputs[i].name);
    if (info == nullptr) {
      return absl::InvalidArgumentError(base::str_cat("the model has no output '",
                                                      request.outputs[i].name,
                                                      "'; it has: ", names_of(signature.outputs)));
    }
    for (const Tensor& earlier : run.outputs) {
      if (earlier.name == info->name) {
        return absl::InvalidArgumentError(
            base::str_cat("the output '", info->name, "' is asked for twice"));
      }
    }
    Tensor& output = run.outputs.emplace_back();
    output.name = info->name;
    output.data_type = info->data_type;
    lend_memory(*info, output);
  }
  run.abi_outputs.reserve(count);
  for (const Tensor& output : run.outputs) {
    sn_tensor& out = run.abi_outputs.emplace_back(to_abi(output.name.c_str(), output));
    out.buffer.capacity = output.buffer.size();
  }
  return {};
}

void add_parameters(const tensor::Request& request, Run& run) {
  if (request.parameters.empty()) return;
  struct Text {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(int64_t value) const { return base::str_cat(value); }
    std::string operator()(uint64_t value) const { return base::str_cat(value); }
    std::string operator()(double value) const { return base::str_cat(value); }
  };
  for (const auto& [key, value] : request.parameters) {
    run.parameter_texts[key] = std::visit(Text{}, value);
  }
  for (const auto& [key, value] : run.parameter_texts) {
    run.parameter_items.push_back({key.c_str(), value.c_str()});
  }
  run.parameters.size = sizeof(run.parameters);
  run.parameters.items = run.parameter_items.data();
  run.parameters.count = run.parameter_items.size();
  run.run.parameters = &run.parameters;
}

// Takes over the memory of one output of a response.
Buffer take_buffer(const sn_tensor& from, const Tensor& asked, const Run& run) {
  const sn_buffer& buffer = from.buffer;
  if (buffer.release != nullptr) {
    // The engine stays open until its memory is back.
    return Buffer::adopt(buffer.data, buffer.byte_size,
                         [engine = run.model->engine, buffer] { buffer.release(buffer.owner); });
  }
  if (buffer.data != nullptr && buffer.data == asked.buffer.data()) {
    return buffer.byte_size <= asked.buffer.size() ? asked.buffer.slice(0, buffer.byte_size)
                                                   : Buffer();
  }
  // Neither ours nor given away: valid until the callback returns.
  return Buffer::copy_of(std::as_bytes(
      std::span(static_cast<const char*>(buffer.data), buffer.data ? buffer.byte_size : 0)));
}

// What an engine says about an output is checked: a wrong size would be read beyond its end later.
base::Status check_output(const Tensor& output, const Tensor& asked) {
  if (output.data_type != asked.data_type) {
    return absl::InternalError(
        base::str_cat("the engine returned output '", asked.name, "' as datatype ",
                      static_cast<int32_t>(output.data_type), " where its signature says ",
                      tensor::data_type_name(asked.data_type)));
  }
  SN_ASSIGN(const int64_t count, tensor::element_count(output.shape));
  const size_t element = tensor::element_size(output.data_type);
  const bool fits = element != 0 ? output.buffer.size() == static_cast<uint64_t>(count) * element
                                 : output.buffer.size() / 4 >= static_cast<uint64_t>(count);
  if (!fits) {
    return absl::InternalError(base::str_cat("the engine returned output '", asked.name,
                                             "' of shape ", tensor::shape_to_string(output.shape),
                                             " with ", output.buffer.size(), " bytes"));
  }
  return {};
}

base::Result<tensor::Response> read_response(const sn_response& from, const Run& run) {
  // All memory is taken over first, so that it is given back whatever is wrong with the rest.
  Few<Tensor> taken(from.output_count);
  for (size_t i = 0; i < from.output_count; ++i) {
    const sn_tensor given = read_struct(element(from.outputs, i));
    taken[i].name = given.name != nullptr ? given.name : "";
    taken[i].data_type = static_cast<tensor::DataType>(given.dtype);
    taken[i].shape.assign(given.dims, given.dims + std::max(given.rank, 0));
    Tensor nothing;
    const Tensor* asked = &nothing;
    for (const Tensor& output : run.outputs) {
      if (output.name == taken[i].name) asked = &output;
    }
    taken[i].buffer = take_buffer(given, *asked, run);
  }
  tensor::Response response;
  response.id = run.id;
  response.outputs.reserve(run.outputs.size());
  for (size_t i = 0; i < run.outputs.size(); ++i) {
    const Tensor& asked = run.outputs[i];
    auto found = i < taken.size() && taken[i].name == asked.name
                     ? taken.begin() + static_cast<ptrdiff_t>(i)
                     : std::find_if(taken.begin(), taken.end(),
                                    [&](const Tensor& t) { return t.name == asked.name; });
    if (found == taken.end()) {
      return absl::InternalError(
          base::str_cat("the engine did not return the output '", asked.name, "'"));
    }
    SN_TRY(check_output(*found, asked));
    response.outputs.push_back(std::move(*found));
  }
  return response;
}

void on_response(void* ctx, const sn_response* given) {
  const auto compute_end = std::chrono::steady_clock::now();
  // Dropped at the end of this function when the response is the final one.
  std::shared_ptr<Run> run = static_cast<Run*>(ctx)->self;
  const sn_response response = read_struct(given);
  if (response.error != nullptr) {
    const sn_error& error = *response.error;
    const size_t room = std::min(sizeof(error.message), error.size - offsetof(sn_error, message));
    run->response = to_status(error.code, {error.message, strnlen(error.message, room)});
  } else if (response.output_count > 0 || (response.final != 0 && !run->answered)) {
    if (run->answered && run->response.ok()) {
      // Takes the memory over and drops it.
      (void)read_response(response, *run);
      run->response = absl::UnimplementedError(
          "the engine answered with more than one response, which this server can't pass on yet");
    } else {
      auto result = read_response(response, *run);
      if (result.ok()) {
        result->timing.compute_start = run->compute_start;
        result->timing.compute_end = compute_end;
        result->timing.finished = std::chrono::steady_clock::now();
      }
      if (run->response.ok()) run->response = std::move(result);
    }
  }
  run->answered = true;
  if (response.final == 0 || run->finished.exchange(true)) return;
  run->self.reset();
  run->done(std::move(run->response));
}

}  // namespace

base::Result<std::unique_ptr<Session>> Model::open_session(const sn_device& device,
                                                           const Options& options) {
  std::unique_ptr<Session> session(new Session);
  session->impl_ = std::make_unique<Session::Impl>();
  session->impl_->model = handle_;
  const OptionList list(options);
  ErrorSlot error;
  const EngineHandle& engine = *handle_->engine;
  const std::string what = base::str_cat("engine '", engine.name, "'");
  SN_TRY(error.check(engine.api.instance_open(handle_->model, &device, list.get(),
                                              &session->impl_->instance, error.get()),
                     what, "instance_open"));
  if (session->impl_->instance == nullptr) {
    return absl::InternalError(base::str_cat(what, ": instance_open gave no instance"));
  }
  return session;
}

Session::~Session() = default;

const Signature& Session::signature() const { return impl_->model->signatures.front(); }
int Session::max_concurrency() const { return impl_->model->engine->max_concurrency; }

base::Result<Verdict> Session::info() const {
  const EngineHandle& engine = *impl_->model->engine;
  if (engine.api.instance_info == nullptr) return Verdict{};
  sn_verdict verdict{};
  verdict.size = sizeof(verdict);
  ErrorSlot error;
  SN_TRY(error.check(engine.api.instance_info(impl_->instance, &verdict, error.get()),
                     base::str_cat("engine '", engine.name, "'"), "instance_info"));
  return read_verdict(verdict);
}

void Session::run(const tensor::Request& request, tensor::Completion done) {
  auto run = std::make_shared<Run>();
  run->model = impl_->model;
  run->id = request.id;
  run->run.size = sizeof(run->run);
  const auto prepared = [&]() -> base::Status {
    SN_ASSIGN(run->run.signature, signature_index(*impl_->model, request));
    const Signature& signature = impl_->model->signatures[run->run.signature];
    SN_TRY(add_inputs(signature, request, *run));
    return add_outputs(signature, request, *run);
  }();
  if (!prepared.ok()) return done(prepared);
  add_parameters(request, *run);
  run->run.inputs = run->abi_inputs.data();
  run->run.input_count = run->abi_inputs.size();
  run->run.outputs = run->abi_outputs.data();
  run->run.output_count = run->abi_outputs.size();
  if (request.deadline) {
    run->run.deadline_ns = static_cast<uint64_t>(
        std::chrono::nanoseconds(request.deadline->time_since_epoch()).count());
  }
  run->run.on_response = &on_response;
  run->run.ctx = run.get();
  run->done = std::move(done);
  run->self = run;
  ErrorSlot error;
  const EngineHandle& engine = *impl_->model->engine;
  run->compute_start = std::chrono::steady_clock::now();
  const int32_t code = engine.api.run(impl_->instance, &run->run, error.get());
  if (code == SN_OK || run->finished.exchange(true)) return;
  run->self.reset();
  run->done(error.check(code, base::str_cat("engine '", engine.name, "'"), "run"));
}

}  // namespace supernova::engine
