// Model::run: sn_run in, OrtApi::Run, sn_response out.
#include <algorithm>
#include <cstring>

#include "engine/abi_calls.h"
#include "engine/onnxruntime/model.h"
#include "engine/onnxruntime/strings.h"
#include "engine/onnxruntime/values.h"
#include "engine/onnxruntime/wrapped.h"

namespace supernova::engine::onnxruntime {

namespace {

using AlignedCopies = std::vector<std::unique_ptr<std::max_align_t[]>>;

}  // namespace

// One run's values, in ONNX Runtime's terms.
struct Model::RunValues {
  Few<const char*> input_names;
  Few<ValuePtr> inputs;
  // Copies of inputs that were not aligned to their element.
  AlignedCopies aligned;
  std::vector<tensor::Tensor> decoded;  // what sequences and the like are made of
  Few<const char*> output_names;
  Few<size_t> output_indices;
  Few<ValuePtr> outputs;  // null before the run = the runtime brings the memory
  Few<bool> lent;         // the memory is the host's
};

namespace {

template <typename T>
const T& element(const T* first, size_t index) {
  return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(first) + index * first->size);
}

base::Result<ValuePtr> make_input(const Runtime& runtime, const sn_tensor& tensor,
                                  AlignedCopies& aligned) {
  if (tensor.dtype == SN_BYTES) return make_strings(runtime, tensor);
  if (to_onnx(tensor.dtype) == ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED) {
    return absl::InvalidArgumentError(base::str_cat("unknown datatype ", tensor.dtype));
  }
  void* data = tensor.buffer.data;
  const size_t byte_size = tensor.buffer.byte_size;
  if (data != nullptr && reinterpret_cast<uintptr_t>(data) % element_size(tensor.dtype) != 0) {
    auto copy = std::make_unique<std::max_align_t[]>(byte_size / sizeof(std::max_align_t) + 1);
    std::memcpy(copy.get(), data, byte_size);
    data = copy.get();
    aligned.push_back(std::move(copy));
  }
  return wrap(runtime, tensor, data, byte_size);
}

// An output's memory may be an input's own (a graph that hands an input through): such a value must
// not outlive the run.
bool lies_in_inputs(const void* data, const sn_run& run) {
  const auto at = reinterpret_cast<uintptr_t>(data);
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_buffer& buffer = element(run.inputs, i).buffer;
    const auto start = reinterpret_cast<uintptr_t>(buffer.data);
    if (at >= start && at < start + buffer.byte_size) return true;
  }
  return false;
}

void release_value(void* owner) { api().ReleaseValue(static_cast<OrtValue*>(owner)); }

// Engine-owned memory: that of the value itself, which lives until the host releases it.
base::Result<sn_buffer> own_buffer(ValuePtr& value, const TensorShape& shape, const sn_run& run) {
  if (shape.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING) return pack_strings(*value, shape.count);
  sn_buffer buffer{};
  buffer.size = sizeof(buffer);
  buffer.device.size = sizeof(buffer.device);
  SN_ORT_TRY(api().GetTensorMutableData(value.get(), &buffer.data));
  buffer.byte_size = shape.count * element_size(from_onnx(shape.type));
  // Memory without a release function is copied by the host before the run ends.
  if (buffer.byte_size > 0 && lies_in_inputs(buffer.data, run)) return buffer;
  buffer.owner = value.release();
  buffer.release = &release_value;
  return buffer;
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
  Few<TensorShape> shapes;  // sized beforehand: the tensors point into it
  Few<sn_tensor> tensors;
  bool delivered = false;
};

base::Status add_output(const Runtime& runtime, const sn_tensor& asked, const ValueInfo& info,
                        ValuePtr& value, bool lent, const sn_run& run, Response& response) {
  const size_t index = response.tensors.size();
  sn_tensor& tensor = response.tensors.emplace_back();
  tensor.size = sizeof(tensor);
  tensor.name = asked.name;
  tensor.buffer.size = sizeof(tensor.buffer);
  if (lent) {
    tensor.dtype = asked.dtype;
    tensor.rank = asked.rank;
    tensor.dims = asked.dims;
    tensor.buffer = asked.buffer;
    return {};
  }
  if (value == nullptr) return absl::InternalError("the runtime did not compute it");
  TensorShape& shape = response.shapes[index];
  if (info.form != Form::kTensor) {
    SN_ASSIGN(tensor.buffer, pack_wrapped(runtime, info, *value, shape.dims));
    tensor.dtype = SN_BYTES;
    tensor.rank = static_cast<int32_t>(shape.dims.size());
    tensor.dims = shape.dims.data();
    return {};
  }
  SN_ASSIGN(shape, shape_of(*value));
  SN_ASSIGN(tensor.buffer, own_buffer(value, shape, run));
  tensor.dtype = from_onnx(shape.type);
  tensor.rank = static_cast<int32_t>(shape.dims.size());
  tensor.dims = shape.dims.data();
  return {};
}

}  // namespace

base::Status Model::deliver(const sn_run& run, RunValues& values) const {
  Response response;
  response.shapes.resize(run.output_count);
  response.tensors.reserve(run.output_count);
  for (size_t i = 0; i < run.output_count; ++i) {
    const sn_tensor& asked = element(run.outputs, i);
    const base::Status added = add_output(*runtime_, asked, outputs_[values.output_indices[i]],
                                          values.outputs[i], values.lent[i], run, response);
    if (!added.ok()) return base::annotate(added, base::str_cat("output '", asked.name, "'"));
  }
  sn_response message{};
  message.size = sizeof(message);
  message.outputs = response.tensors.data();
  message.output_count = response.tensors.size();
  message.final = 1;
  response.delivered = true;
  if (on_success_) on_success_();
  run.on_response(run.ctx, &message);
  return {};
}

base::Status Model::prepare_inputs(const sn_run& run, RunValues& values) {
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_tensor& tensor = element(run.inputs, i);
    const ValueInfo* wrapped = tensor.dtype == SN_BYTES ? find_wrapped(tensor.name) : nullptr;
    auto value = wrapped != nullptr ? make_wrapped(*runtime_, *wrapped, tensor, values.decoded)
                                    : make_input(*runtime_, tensor, values.aligned);
    if (!value.ok()) {
      return base::annotate(value.status(), base::str_cat("input '", tensor.name, "'"));
    }
    if (*value == nullptr) continue;  // none: the runtime wants it left out
    values.input_names.push_back(tensor.name);
    values.inputs.push_back(*std::move(value));
  }
  return {};
}

base::Status Model::prepare_outputs(const sn_run& run, RunValues& values) {
  for (size_t i = 0; i < run.output_count; ++i) {
    const sn_tensor& asked = element(run.outputs, i);
    size_t index = 0;
    const ValueInfo* info = find_output(asked.name, index);
    if (info == nullptr) {
      return absl::InvalidArgumentError(
          base::str_cat("the model has no output '", asked.name, "'"));
    }
    const bool lent = asked.buffer.data != nullptr && info->dtype != SN_BYTES &&
                      !never_lent_[index].load(std::memory_order_relaxed);
    ValuePtr value;
    if (lent) {
      SN_ASSIGN(value, wrap(*runtime_, asked, asked.buffer.data, asked.buffer.capacity));
    }
    values.output_names.push_back(asked.name);
    values.output_indices.push_back(index);
    values.outputs.push_back(std::move(value));
    values.lent.push_back(lent);
  }
  return {};
}

base::Status Model::call(const sn_run& run, const Arguments& arguments) {
  const RunningRuns::Entry entry(running_, run);
  // A cancel that came before this found no run.
  if (is_cancelled(run)) return absl::CancelledError("the run was cancelled");
  base::Status status = to_status(api().Run(
      session_.get(), entry.options(), arguments.input_names, arguments.inputs,
      arguments.input_count, arguments.output_names, arguments.output_count, arguments.outputs));
  if (!status.ok() && entry.cancelled()) return absl::CancelledError("the run was cancelled");
  return status;
}

base::Status Model::call(const sn_run& run, RunValues& values) {
  Few<const OrtValue*> inputs;
  for (const ValuePtr& input : values.inputs) inputs.push_back(input.get());
  Few<OrtValue*> outputs;
  for (const ValuePtr& output : values.outputs) outputs.push_back(output.get());
  base::Status status = call(run, {values.input_names.data(), inputs.data(), inputs.size(),
                                   values.output_names.data(), outputs.size(), outputs.data()});
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (values.outputs[i] == nullptr) values.outputs[i].reset(outputs[i]);
  }
  return status;
}

// The runtime fails when an output comes out in another shape than the memory lent for it. Whether
// that was the reason shows when it goes well in the runtime's own memory; those outputs are
// remembered.
base::Status Model::call_without_lent(const sn_run& run, RunValues& values) {
  std::fill(values.lent.begin(), values.lent.end(), false);
  for (ValuePtr& output : values.outputs) output.reset();
  SN_TRY(call(run, values));
  for (const size_t index : values.output_indices) {
    never_lent_[index].store(true, std::memory_order_relaxed);
  }
  return {};
}

base::Status Model::run(const sn_run& run) {
  SN_ASSIGN(const bool done, run_small(run));
  if (done) return {};
  RunValues values;
  SN_TRY(prepare_inputs(run, values));
  SN_TRY(prepare_outputs(run, values));
  base::Status status = call(run, values);
  if (!status.ok() && !is_final(status) &&
      std::find(values.lent.begin(), values.lent.end(), true) != values.lent.end()) {
    status = call_without_lent(run, values);
  }
  SN_TRY(status);
  return deliver(run, values);
}

}  // namespace supernova::engine::onnxruntime
