// Session: one request becomes one sn_run, its response becomes one Completion.
#include <absl/container/inlined_vector.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <variant>

#include "engine/engine.h"
#include "engine/handles.h"

namespace supernova::engine {

namespace {

// How large one dimension of an output will be: a size, or that of an input's dimension which bears
// the same name.
struct OutputDim {
  int64_t size = -1;
  size_t input = 0;
  size_t dim = 0;
};
// Of an output whose shape the declaration tells; empty and not known for the others.
struct OutputShape {
  bool known = false;
  std::vector<OutputDim> dims;
};

}  // namespace

struct Session::Impl {
  ~Impl() {
    if (instance != nullptr) model->engine->api.instance_close(instance);
  }
  std::shared_ptr<ModelHandle> model;
  sn_instance* instance = nullptr;
  std::vector<std::vector<OutputShape>> output_shapes;  // of each signature
};

namespace {

using tensor::Buffer;
using tensor::Tensor;

// Most models have one or two inputs and outputs: those need no memory of their own.
template <typename T>
using Few = absl::InlinedVector<T, 2>;

// What a run keeps of a tensor; the names are the signature's.
struct Held {
  const tensor::TensorInfo* info = nullptr;
  tensor::Shape shape;
  Buffer buffer;
};

struct Parameters {
  Options texts;
  std::vector<sn_option> items;
  sn_options list{};
};

// Everything an sn_run points to. Lives until the final response (it holds itself until then) and
// until Session::run has returned. Small enough for one of the allocator's small pieces.
struct Run {
  std::shared_ptr<Run> self;
  std::shared_ptr<ModelHandle> model;
  tensor::Completion done;
  std::string id;
  absl::InlinedVector<Held, 1> inputs;   // share the request's memory
  absl::InlinedVector<Held, 1> outputs;  // in the order asked for; with memory where it is lent
  Few<sn_tensor> abi_inputs;
  Few<sn_tensor> abi_outputs;
  std::unique_ptr<Parameters> parameters;
  sn_run run{};
  tensor::Timing::Point compute_start;
  std::atomic<bool> finished{false};
  Stop* stop = nullptr;
  // Where an answer came that was not the final one.
  std::unique_ptr<base::Result<tensor::Response>> earlier;
};

sn_tensor to_abi(const Held& held) {
  sn_tensor out{};
  out.size = sizeof(out);
  out.name = held.info->name.c_str();
  out.dtype = static_cast<int32_t>(held.info->data_type);
  out.rank = static_cast<int32_t>(held.shape.size());
  out.dims = held.shape.data();
  out.buffer.size = sizeof(out.buffer);
  out.buffer.data = const_cast<std::byte*>(held.buffer.data());
  out.buffer.byte_size = held.buffer.size();
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
  run.inputs.reserve(request.inputs.size());
  for (const Tensor& input : request.inputs) {
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
    run.inputs.push_back({info, input.shape, input.buffer});
  }
  for (const auto& info : signature.inputs) {
    const auto given = std::count_if(run.inputs.begin(), run.inputs.end(),
                                     [&](const Held& held) { return held.info == &info; });
    if (given == 0 && !info.optional) {
      return absl::InvalidArgumentError(base::str_cat("the input '", info.name, "' is missing"));
    }
    if (given > 1) {
      return absl::InvalidArgumentError(
          base::str_cat("the input '", info.name, "' is given ", given, " times"));
    }
  }
  run.abi_inputs.reserve(run.inputs.size());
  for (const Held& input : run.inputs) run.abi_inputs.push_back(to_abi(input));
  return {};
}

OutputShape output_shape(const Signature& signature, const tensor::TensorInfo& output) {
  OutputShape shape;
  if (!output.rank_known || tensor::element_size(output.data_type) == 0) return shape;
  for (size_t i = 0; i < output.shape.size(); ++i) {
    OutputDim dim{output.shape[i]};
    const std::string name = i < output.dim_names.size() ? output.dim_names[i] : "";
    bool found = dim.size >= 0;
    for (size_t input = 0; input < signature.inputs.size() && !found && !name.empty(); ++input) {
      const auto& names = signature.inputs[input].dim_names;
      const auto at = std::find(names.begin(), names.end(), name);
      found = at != names.end();
      if (found) dim = {-1, input, static_cast<size_t>(at - names.begin())};
    }
    if (!found) return {};
    shape.dims.push_back(dim);
  }
  shape.known = true;
  return shape;
}

// The output's shape in this run; false where an input it depends on is not given.
bool resolve(const OutputShape& declared, const Signature& signature, const Run& run,
             tensor::Shape& shape) {
  for (const OutputDim& dim : declared.dims) {
    int64_t size = dim.size;
    for (const Held& input : run.inputs) {
      if (dim.size >= 0 || input.info != &signature.inputs[dim.input]) continue;
      if (dim.dim < input.shape.size()) size = input.shape[dim.dim];
    }
    if (size < 0) return false;
    shape.push_back(size);
  }
  return true;
}

// A declared shape is only a claim; beyond this the engine brings memory for what there really is.
constexpr size_t kMaxLentBytes = size_t{1} << 30;

// Memory for an output whose shape is known beforehand; none where the engine has to bring it,
// which it also has to when there is not enough for that shape.
void lend_memory(const OutputShape& declared, const Signature& signature, const Run& run,
                 Held& output) {
  tensor::Shape shape;
  if (!declared.known || !resolve(declared, signature, run, shape)) return;
  const auto byte_size = tensor::byte_size(output.info->data_type, shape);
  if (!byte_size.ok() || *byte_size > kMaxLentBytes) return;
  output.buffer = Buffer::allocate(*byte_size);
  if (output.buffer.data() != nullptr) output.shape = shape;
}

base::Status add_outputs(const Signature& signature, const std::vector<OutputShape>& shapes,
                         const tensor::Request& request, Run& run) {
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
    for (const Held& earlier : run.outputs) {
      if (earlier.info == info) {
        return absl::InvalidArgumentError(
            base::str_cat("the output '", info->name, "' is asked for twice"));
      }
    }
    Held output{info, {}, {}};
    lend_memory(shapes[static_cast<size_t>(info - signature.outputs.data())], signature, run,
                output);
    run.outputs.push_back(std::move(output));
  }
  run.abi_outputs.reserve(count);
  for (const Held& output : run.outputs) {
    sn_tensor& out = run.abi_outputs.emplace_back(to_abi(output));
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
  run.parameters = std::make_unique<Parameters>();
  auto& [texts, items, list] = *run.parameters;
  for (const auto& [key, value] : request.parameters) texts[key] = std::visit(Text{}, value);
  for (const auto& [key, value] : texts) items.push_back({key.c_str(), value.c_str()});
  list.size = sizeof(list);
  list.items = items.data();
  list.count = items.size();
  run.run.parameters = &list;
}

// Takes over the memory of one output of a response.
Buffer take_buffer(const sn_tensor& from, const Held* asked, const Run& run) {
  const sn_buffer& buffer = from.buffer;
  if (buffer.release != nullptr) {
    // The engine stays open until its memory is back.
    return Buffer::adopt(buffer.data, buffer.byte_size,
                         [engine = run.model->engine, buffer] { buffer.release(buffer.owner); });
  }
  if (buffer.data != nullptr && asked != nullptr && buffer.data == asked->buffer.data()) {
    return buffer.byte_size <= asked->buffer.size() ? asked->buffer.slice(0, buffer.byte_size)
                                                    : Buffer();
  }
  // Neither ours nor given away: valid until the callback returns.
  return Buffer::copy_of(std::as_bytes(
      std::span(static_cast<const char*>(buffer.data), buffer.data ? buffer.byte_size : 0)));
}

// What an engine says about an output is checked: a wrong size would be read beyond its end later.
base::Status check_output(const Tensor& output, const tensor::TensorInfo& asked) {
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

// Which of the outputs asked for bears this name; most likely the one at `index`.
size_t place_of(const Run& run, const char* name, size_t index) {
  if (name == nullptr) return run.outputs.size();
  if (index < run.outputs.size() && run.outputs[index].info->name == name) return index;
  const auto found = std::find_if(run.outputs.begin(), run.outputs.end(),
                                  [&](const Held& output) { return output.info->name == name; });
  return static_cast<size_t>(found - run.outputs.begin());
}

base::Result<tensor::Response> read_response(const sn_response& from, const Run& run) {
  tensor::Response response;
  response.id = run.id;
  response.outputs.resize(run.outputs.size());
  // All memory is taken over first, so that it is given back whatever is wrong with the rest.
  for (size_t i = 0; i < from.output_count; ++i) {
    const sn_tensor given = read_struct(element(from.outputs, i));
    const size_t place = place_of(run, given.name, i);
    const bool is_asked = place < run.outputs.size();
    Buffer buffer = take_buffer(given, is_asked ? &run.outputs[place] : nullptr, run);
    if (!is_asked || !response.outputs[place].name.empty()) continue;
    Tensor& output = response.outputs[place];
    output.name = run.outputs[place].info->name;
    output.data_type = static_cast<tensor::DataType>(given.dtype);
    output.shape.assign(given.dims, given.dims + std::max(given.rank, 0));
    output.buffer = std::move(buffer);
  }
  for (size_t i = 0; i < run.outputs.size(); ++i) {
    const tensor::TensorInfo& asked = *run.outputs[i].info;
    if (response.outputs[i].name != asked.name) {
      return absl::InternalError(
          base::str_cat("the engine did not return the output '", asked.name, "'"));
    }
    SN_TRY(check_output(response.outputs[i], asked));
  }
  return response;
}

// Whether all of the answer lies where it was lent room for: nothing had to be done for it.
bool lies_in_lent_memory(const tensor::Response& response, const Run& run) {
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    if (response.outputs[i].buffer.data() != run.outputs[i].buffer.data()) return false;
  }
  return true;
}

base::Result<tensor::Response> read_answer(const sn_response& response, const Run& run,
                                           tensor::Timing::Point compute_end) {
  if (response.error != nullptr) {
    const sn_error& error = *response.error;
    const size_t room = std::min(sizeof(error.message), error.size - offsetof(sn_error, message));
    return to_status(error.code, {error.message, strnlen(error.message, room)});
  }
  auto result = read_response(response, run);
  if (result.ok()) {
    result->timing.compute_start = run.compute_start;
    result->timing.compute_end = compute_end;
    result->timing.finished =
        lies_in_lent_memory(*result, run) ? compute_end : std::chrono::steady_clock::now();
  }
  return result;
}

// Nobody can stop the run any more. One that was stopped may have failed of it in any way.
void end_stop(const Run& run, base::Result<tensor::Response>& result) {
  if (run.stop == nullptr) return;
  run.stop->end();
  if (!result.ok() && run.stop->requested()) {
    result = absl::CancelledError("the run was cancelled");
  }
}

void on_response(void* ctx, const sn_response* given) {
  const auto compute_end = std::chrono::steady_clock::now();
  // Dropped at the end of this function when the response is the final one.
  std::shared_ptr<Run> run = static_cast<Run*>(ctx)->self;
  const sn_response response = read_struct(given);
  // A final response may say no more than that it is the last one.
  const bool says_something = response.error != nullptr || response.output_count > 0 ||
                              (response.final != 0 && !run->earlier);
  std::optional<base::Result<tensor::Response>> result;
  if (run->earlier) result = std::move(*run->earlier);
  if (says_something) {
    auto answer = read_answer(response, *run, compute_end);
    if (!result) {
      result.emplace(std::move(answer));
    } else if (!answer.ok() && response.error != nullptr) {
      result.emplace(std::move(answer));
    } else if (result->ok()) {
      // Its memory has been taken over, and is given back.
      result.emplace(absl::UnimplementedError(
          "the engine answered with more than one response, which this server can't pass on yet"));
    }
  }
  if (response.final == 0) {
    if (result) {
      run->earlier = std::make_unique<base::Result<tensor::Response>>(*std::move(result));
    }
    return;
  }
  if (run->finished.exchange(true)) return;
  end_stop(*run, *result);
  run->self.reset();
  run->done(*std::move(result));
}

}  // namespace

base::Result<std::unique_ptr<Session>> Model::open_session(const sn_device& device,
                                                           const Options& options) {
  std::unique_ptr<Session> session(new Session);
  session->impl_ = std::make_unique<Session::Impl>();
  session->impl_->model = handle_;
  for (const Signature& signature : handle_->signatures) {
    auto& shapes = session->impl_->output_shapes.emplace_back();
    for (const auto& output : signature.outputs) shapes.push_back(output_shape(signature, output));
  }
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

base::Status Session::health() const {
  const EngineHandle& engine = *impl_->model->engine;
  if (engine.api.instance_info == nullptr) return {};
  sn_verdict verdict{};
  verdict.size = sizeof(verdict);
  ErrorSlot error;
  const base::Status asked =
      error.check(engine.api.instance_info(impl_->instance, &verdict, error.get()),
                  base::str_cat("engine '", engine.name, "'"), "instance_info");
  if (!asked.ok()) return absl::UnavailableError(asked.message());
  if (verdict.compatibility != SN_CAN_NOT_RUN) return {};
  return absl::UnavailableError(base::str_cat(
      "engine '", engine.name,
      "': ", verdict.reason != nullptr ? verdict.reason : "it can't run the model now"));
}

void Session::run(const tensor::Request& request, tensor::Completion done, Stop* stop) {
  auto run = std::make_shared<Run>();
  run->model = impl_->model;
  run->id = request.id;
  run->run.size = sizeof(run->run);
  const auto prepared = [&]() -> base::Status {
    SN_ASSIGN(run->run.signature, signature_index(*impl_->model, request));
    const Signature& signature = impl_->model->signatures[run->run.signature];
    SN_TRY(add_inputs(signature, request, *run));
    return add_outputs(signature, impl_->output_shapes[run->run.signature], request, *run);
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
  ErrorSlot error;
  const EngineHandle& engine = *impl_->model->engine;
  run->done = std::move(done);
  run->self = run;
  run->stop = stop;
  if (stop != nullptr) {
    run->run.cancelled = stop->flag();
    if (!stop->begin(engine.api.cancel, impl_->instance, &run->run)) {
      run->self.reset();
      return run->done(absl::CancelledError("the run was cancelled before it began"));
    }
  }
  run->compute_start = std::chrono::steady_clock::now();
  const int32_t code = engine.api.run(impl_->instance, &run->run, error.get());
  if (code == SN_OK || run->finished.exchange(true)) return;
  base::Result<tensor::Response> failure =
      error.check(code, base::str_cat("engine '", engine.name, "'"), "run");
  end_stop(*run, failure);
  run->self.reset();
  run->done(std::move(failure));
}

}  // namespace supernova::engine
