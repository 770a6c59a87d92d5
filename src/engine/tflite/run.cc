// Instance::run: sn_run in, TfLiteInterpreterInvoke, sn_response out.
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "engine/abi_calls.h"
#include "engine/tflite/instance.h"
#include "engine/tflite/strings.h"
#include "tensor/shape.h"

namespace supernova::engine::tflite {
namespace {

using Dims = absl::InlinedVector<int64_t, 6>;

template <typename T>
const T& element(const T* first, size_t index) {
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(first) + index * first->size);
}

const Value* find(const std::vector<Value>& values, std::string_view name) {
  for (const Value& value : values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

Dims dims_of(const c::Api& api, const c::Tensor* tensor) {
  Dims dims;
  const int32_t rank = std::max(api.TfLiteTensorNumDims(tensor), 0);
  for (int32_t i = 0; i < rank; ++i) dims.push_back(api.TfLiteTensorDim(tensor, i));
  return dims;
}

bool same_dims(const Dims& dims, const sn_tensor& tensor) {
  return static_cast<int32_t>(dims.size()) == tensor.rank &&
         std::equal(dims.begin(), dims.end(), tensor.dims);
}

int64_t count_of(const Dims& dims) {
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

sn_dtype dtype_of(c::Type type) {
  switch (type) {
    case c::kFloat32:
      return SN_FP32;
    case c::kInt32:
      return SN_INT32;
    case c::kUint8:
      return SN_UINT8;
    case c::kInt64:
      return SN_INT64;
    case c::kString:
      return SN_BYTES;
    case c::kBool:
      return SN_BOOL;
    case c::kInt16:
      return SN_INT16;
    case c::kInt8:
      return SN_INT8;
    case c::kFloat16:
      return SN_FP16;
    case c::kFloat64:
      return SN_FP64;
    case c::kUint64:
      return SN_UINT64;
    case c::kUint32:
      return SN_UINT32;
    case c::kUint16:
      return SN_UINT16;
    case c::kBfloat16:
      return SN_BF16;
  }
  return SN_DTYPE_INVALID;
}

// The response's tensors; gives back what was not delivered.
struct Response {
  ~Response() {
    for (const sn_tensor& tensor : tensors) {
      if (!delivered && tensor.buffer.release != nullptr) {
        tensor.buffer.release(tensor.buffer.owner);
      }
    }
  }
  std::vector<Dims> dims;  // sized beforehand: the tensors point into it
  std::vector<sn_tensor> tensors;
  bool delivered = false;
};

base::Status own_buffer(std::string_view content, sn_buffer& buffer) {
  void* memory = std::malloc(std::max<size_t>(content.size(), 1));
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat("no memory for ", content.size(), " bytes"));
  }
  std::memcpy(memory, content.data(), content.size());
  buffer.data = memory;
  buffer.byte_size = content.size();
  buffer.owner = memory;
  buffer.release = &std::free;
  return {};
}

// Copies an output out of the interpreter, whose memory the next run uses again.
base::Status add_output(const c::Api& api, const c::Tensor* from, const sn_tensor& asked,
                        const Value& value, Response& response) {
  Dims& dims = response.dims[response.tensors.size()];
  dims = dims_of(api, from);
  sn_tensor& tensor = response.tensors.emplace_back();
  tensor.size = sizeof(tensor);
  tensor.name = asked.name;
  tensor.dtype = dtype_of(api.TfLiteTensorType(from));
  tensor.rank = static_cast<int32_t>(dims.size());
  tensor.dims = dims.data();
  tensor.buffer.size = sizeof(tensor.buffer);
  tensor.buffer.device.size = sizeof(tensor.buffer.device);
  if (tensor.dtype != value.dtype) {
    return absl::InternalError("it came out in another type than the file says");
  }
  const void* data = api.TfLiteTensorData(from);
  const std::string_view content(static_cast<const char*>(data),
                                 data != nullptr ? api.TfLiteTensorByteSize(from) : 0);
  if (tensor.dtype == SN_BYTES) {
    SN_ASSIGN(const std::string packed, from_runtime_strings(content, count_of(dims)));
    return own_buffer(packed, tensor.buffer);
  }
  if (asked.buffer.data == nullptr || !same_dims(dims, asked)) {
    return own_buffer(content, tensor.buffer);
  }
  const size_t capacity =
      asked.buffer.capacity != 0 ? asked.buffer.capacity : asked.buffer.byte_size;
  if (content.size() > capacity) {
    return absl::InvalidArgumentError(base::str_cat("it has ", content.size(),
                                                    " bytes, but there is "
                                                    "room for ",
                                                    capacity));
  }
  if (!content.empty()) std::memcpy(asked.buffer.data, content.data(), content.size());
  tensor.buffer = asked.buffer;
  tensor.buffer.byte_size = content.size();
  return {};
}

// The runtime would take sizes that the model fixes for others, and compute something.
bool fits(const Value& value, const sn_tensor& tensor) {
  if (value.dims.empty()) return true;  // a file may leave the rank open, too
  if (tensor.rank != static_cast<int32_t>(value.dims.size())) return false;
  for (size_t d = 0; d < value.dims.size(); ++d) {
    if (value.dims[d] >= 0 && value.dims[d] != tensor.dims[d]) return false;
  }
  return true;
}

}  // namespace

// Another shape than before has everything laid out anew.
base::Status Instance::set_shapes(const sn_run& run) {
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_tensor& tensor = element(run.inputs, i);
    const Value* value = find(model_.values().inputs, tensor.name);
    if (value == nullptr) {
      return absl::InvalidArgumentError(
          base::str_cat("the model has no input '", tensor.name, "'"));
    }
    if (tensor.dtype != value->dtype) {
      return absl::InvalidArgumentError(
          base::str_cat("input '", tensor.name, "' has another type than the model's"));
    }
    if (!fits(*value, tensor)) {
      const tensor::Shape given(tensor.dims, tensor.dims + std::max(tensor.rank, 0));
      const tensor::Shape declared(value->dims.begin(), value->dims.end());
      return absl::InvalidArgumentError(
          base::str_cat("input '", tensor.name, "' has the shape ", tensor::shape_to_string(given),
                        " where the model's is ", tensor::shape_to_string(declared)));
    }
    const c::Tensor* now = api_.TfLiteInterpreterGetInputTensor(interpreter_, value->position);
    if (same_dims(dims_of(api_, now), tensor)) continue;
    std::vector<int> sizes;
    for (int32_t d = 0; d < tensor.rank; ++d) {
      if (tensor.dims[d] < 0 || tensor.dims[d] > INT_MAX) {
        return absl::InvalidArgumentError(
            base::str_cat("input '", tensor.name, "' has a size of ", tensor.dims[d]));
      }
      sizes.push_back(static_cast<int>(tensor.dims[d]));
    }
    allocated_ = false;
    if (api_.TfLiteInterpreterResizeInputTensor(interpreter_, value->position, sizes.data(),
                                                tensor.rank) != c::kOk) {
      return failure(absl::StatusCode::kInvalidArgument,
                     base::str_cat("input '", tensor.name, "' can't have this shape"));
    }
  }
  return allocated_ ? base::Status() : allocate();
}

base::Status Instance::set_input(const Value& value, const sn_tensor& tensor) {
  c::Tensor* to = api_.TfLiteInterpreterGetInputTensor(interpreter_, value.position);
  const std::string_view content(static_cast<const char*>(tensor.buffer.data),
                                 tensor.buffer.data != nullptr ? tensor.buffer.byte_size : 0);
  if (tensor.dtype != SN_BYTES) {
    if (content.empty() && api_.TfLiteTensorByteSize(to) == 0) return {};
    if (api_.TfLiteTensorCopyFromBuffer(to, content.data(), content.size()) == c::kOk) return {};
    return absl::InvalidArgumentError(
        base::str_cat("it has ", content.size(), " bytes, not ", api_.TfLiteTensorByteSize(to)));
  }
  if (api_.TfLiteTensorRealloc == nullptr) {
    return absl::UnimplementedError("this TensorFlow Lite library takes no strings");
  }
  SN_ASSIGN(const std::string strings, to_runtime_strings(content, count_of(dims_of(api_, to))));
  api_.TfLiteTensorRealloc(strings.size(), to);
  if (api_.TfLiteTensorCopyFromBuffer(to, strings.data(), strings.size()) == c::kOk) return {};
  return absl::ResourceExhaustedError("no memory for its strings");
}

base::Status Instance::invoke(const sn_run& run) {
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_tensor& tensor = element(run.inputs, i);
    const base::Status set = set_input(*find(model_.values().inputs, tensor.name), tensor);
    if (!set.ok()) return base::annotate(set, base::str_cat("input '", tensor.name, "'"));
  }
  // A request starts from the state that the file gives.
  if (has_variables_ && api_.TfLiteInterpreterResetVariableTensors != nullptr) {
    api_.TfLiteInterpreterResetVariableTensors(interpreter_);
  }
  if (cancelled_.load()) return absl::CancelledError("the run was cancelled");
  if (nothing_to_compute()) return {};
  const c::Status status = invoke_interpreter();
  if (cancelled_.load()) return absl::CancelledError("the run was cancelled");
  if (status == c::kOk) return {};
  if (delegate_ != nullptr && (status == c::kDelegateError || failed_in_delegate())) {
    return failure(absl::StatusCode::kUnavailable,
                   base::str_cat("the delegate of '", delegate_->choice().library, "' failed"));
  }
  return failure(absl::StatusCode::kInternal, "the run failed");
}

c::Status Instance::invoke_interpreter() {
  const auto say = [this](bool is_invoking) {
    std::lock_guard lock(cancel_mutex_);
    is_invoking_ = is_invoking;
  };
  say(true);
  const c::Status status = api_.TfLiteInterpreterInvoke(interpreter_);
  say(false);
  return status;
}

// Empty batches are not shown to kernels, some of which divide by the size.
bool Instance::nothing_to_compute() const {
  const auto is_empty = [&](const c::Tensor* tensor) {
    return count_of(dims_of(api_, tensor)) == 0;
  };
  const Values& values = model_.values();
  const bool empty_input =
      std::any_of(values.inputs.begin(), values.inputs.end(), [&](const Value& value) {
        return is_empty(api_.TfLiteInterpreterGetInputTensor(interpreter_, value.position));
      });
  return empty_input &&
         std::all_of(values.outputs.begin(), values.outputs.end(), [&](const Value& value) {
           return is_empty(api_.TfLiteInterpreterGetOutputTensor(interpreter_, value.position));
         });
}

// The runtime gives one status for all nodes that fail, but reports their numbers; those of a
// delegate come after the file's.
bool Instance::failed_in_delegate() const {
  constexpr std::string_view kReported = "Node number ";
  const std::string& text = messages_.text();
  const size_t at = text.rfind(kReported);
  if (delegate_ == nullptr || at == std::string::npos) return false;
  const unsigned long number = std::strtoul(text.c_str() + at + kReported.size(), nullptr, 10);
  return number >= model_.file().subgraphs[0].operators.size();
}

base::Status Instance::deliver(const sn_run& run) {
  Response response;
  response.dims.resize(run.output_count);
  response.tensors.reserve(run.output_count);
  for (size_t i = 0; i < run.output_count; ++i) {
    const sn_tensor& asked = element(run.outputs, i);
    const Value* value = find(model_.values().outputs, asked.name);
    if (value == nullptr) {
      return absl::InvalidArgumentError(
          base::str_cat("the model has no output '", asked.name, "'"));
    }
    const c::Tensor* from = api_.TfLiteInterpreterGetOutputTensor(interpreter_, value->position);
    const base::Status added = add_output(api_, from, asked, *value, response);
    if (!added.ok()) return base::annotate(added, base::str_cat("output '", asked.name, "'"));
  }
  sn_response message{};
  message.size = sizeof(message);
  message.outputs = response.tensors.data();
  message.output_count = response.tensors.size();
  message.final = 1;
  response.delivered = true;
  run.on_response(run.ctx, &message);
  return {};
}

base::Status Instance::run(const sn_run& run) {
  class Running {
   public:
    Running(Instance& instance, const sn_run& run) : it_(instance) { say(&run); }
    ~Running() { say(nullptr); }

   private:
    void say(const sn_run* run) {
      std::lock_guard lock(it_.cancel_mutex_);
      it_.running_ = run;
    }
    Instance& it_;
  };
  {
    cancelled_ = false;
    const Running running(*this, run);
    // A cancel that came before this found no run.
    if (is_cancelled(run)) cancelled_ = true;
    messages_.clear();
    SN_TRY(compute(run));
  }
  return deliver(run);
}

// XNNPACK does not take every shape that the plain kernels do.
base::Status Instance::compute(const sn_run& run) {
  if (plain_for_now_ && !has_shapes_of(run)) {
    plain_for_now_ = false;
    SN_TRY(make_interpreter());
  }
  const auto once = [&]() -> base::Status {
    SN_TRY(set_shapes(run));
    return invoke(run);
  };
  base::Status status = once();
  if (status.ok() || xnnpack_ == nullptr || absl::IsCancelled(status)) return status;
  SN_TRY(make_plain_interpreter());
  plain_for_now_ = true;
  status = once();
  if (status.ok()) return status;
  plain_for_now_ = false;
  SN_TRY(make_interpreter());
  return status;
}

bool Instance::has_shapes_of(const sn_run& run) const {
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_tensor& tensor = element(run.inputs, i);
    const Value* value = find(model_.values().inputs, tensor.name);
    if (value == nullptr) return false;
    const c::Tensor* now = api_.TfLiteInterpreterGetInputTensor(interpreter_, value->position);
    if (!same_dims(dims_of(api_, now), tensor)) return false;
  }
  return true;
}

// TensorFlow Lite forgets one that comes in the moment before it begins: such a run comes to its
// end.
void Instance::cancel(const sn_run& run) {
  std::lock_guard lock(cancel_mutex_);
  if (running_ != &run) return;
  cancelled_ = true;
  if (is_invoking_ && api_.TfLiteInterpreterCancel != nullptr) {
    api_.TfLiteInterpreterCancel(interpreter_);
  }
}

}  // namespace supernova::engine::tflite
