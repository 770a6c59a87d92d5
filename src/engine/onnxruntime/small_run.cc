// Runs of small tensors: what the runtime wants made for each run (values, names) costs as much as
// such a run itself, and a copy of the tensors nearly nothing. So the values stay, on memory of
// their own, for the next run of the same shapes.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "engine/onnxruntime/model.h"
#include "engine/onnxruntime/values.h"

namespace supernova::engine::onnxruntime {
namespace {

constexpr size_t kMaxBytes = 4096;  // of a tensor
constexpr size_t kMaxKept = 8;
constexpr size_t kAlignment = 64;

const sn_tensor& element(const sn_tensor* first, size_t index) {
  return *reinterpret_cast<const sn_tensor*>(reinterpret_cast<const char*>(first) +
                                             index * first->size);
}

// Whether the tensor's memory, of `byte_size` bytes, is all that its type and shape need.
bool is_small(const sn_tensor& tensor, size_t byte_size) {
  if (tensor.dtype == SN_BYTES || tensor.buffer.data == nullptr || byte_size > kMaxBytes ||
      to_onnx(tensor.dtype) == ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED) {
    return false;
  }
  size_t needed = element_size(tensor.dtype);
  for (int32_t i = 0; i < tensor.rank; ++i) {
    if (tensor.dims[i] < 0 || __builtin_mul_overflow(needed, tensor.dims[i], &needed)) return false;
  }
  return needed == byte_size;
}

}  // namespace

class Model::SmallRun {
 public:
  static base::Result<std::unique_ptr<SmallRun>> make(const Runtime& runtime, const sn_run& run) {
    auto made = std::make_unique<SmallRun>();
    made->slots_.reserve(run.input_count + run.output_count);
    for (size_t i = 0; i < run.input_count; ++i) {
      SN_TRY(made->add(runtime, element(run.inputs, i), element(run.inputs, i).buffer.byte_size));
    }
    made->inputs_ = run.input_count;
    for (size_t i = 0; i < run.output_count; ++i) {
      SN_TRY(made->add(runtime, element(run.outputs, i), element(run.outputs, i).buffer.capacity));
    }
    for (const Slot& slot : made->slots_) {
      made->names_.push_back(slot.name.c_str());
      made->values_.push_back(slot.value.get());
    }
    return made;
  }

  bool fits(const sn_run& run) const {
    if (run.input_count != inputs_ || run.input_count + run.output_count != slots_.size()) {
      return false;
    }
    for (size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].fits(i < inputs_ ? element(run.inputs, i) : element(run.outputs, i - inputs_)))
        return false;
    }
    return true;
  }

  // The outputs are as they were when it fails.
  base::Status run(Model& model, const sn_run& run) {
    for (size_t i = 0; i < inputs_; ++i) {
      std::memcpy(slots_[i].data, element(run.inputs, i).buffer.data, slots_[i].byte_size);
    }
    SN_TRY(model.call(run, {names_.data(), values_.data(), inputs_, names_.data() + inputs_,
                            slots_.size() - inputs_, values_.data() + inputs_}));
    for (size_t i = inputs_; i < slots_.size(); ++i) {
      std::memcpy(element(run.outputs, i - inputs_).buffer.data, slots_[i].data,
                  slots_[i].byte_size);
    }
    return {};
  }

 private:
  struct Slot {
    std::string name;
    int32_t dtype = SN_DTYPE_INVALID;
    Few<int64_t> dims;
    std::unique_ptr<std::byte[]> memory;
    std::byte* data = nullptr;  // in it, aligned
    size_t byte_size = 0;
    ValuePtr value;

    bool fits(const sn_tensor& tensor) const {
      return tensor.dtype == dtype && static_cast<size_t>(tensor.rank) == dims.size() &&
             std::equal(dims.begin(), dims.end(), tensor.dims) && name == tensor.name;
    }
  };

  base::Status add(const Runtime& runtime, const sn_tensor& tensor, size_t byte_size) {
    Slot slot;
    slot.name = tensor.name;
    slot.dtype = tensor.dtype;
    slot.dims.assign(tensor.dims, tensor.dims + tensor.rank);
    slot.memory = std::make_unique<std::byte[]>(byte_size + kAlignment);
    const auto at = reinterpret_cast<uintptr_t>(slot.memory.get());
    slot.data = slot.memory.get() + (kAlignment - at % kAlignment) % kAlignment;
    slot.byte_size = byte_size;
    SN_ASSIGN(slot.value, wrap(runtime, tensor, slot.data, byte_size));
    slots_.push_back(std::move(slot));
    return {};
  }

  std::vector<Slot> slots_;  // inputs, then outputs
  size_t inputs_ = 0;
  std::vector<const char*> names_;
  std::vector<OrtValue*> values_;
};

Model::Model() = default;
Model::~Model() = default;

void Model::drop_session() {
  small_runs_.clear();
  running_.clear();
  session_.reset();
}

std::unique_ptr<Model::SmallRun> Model::take_small_run(const sn_run& run) {
  std::lock_guard lock(small_mutex_);
  const auto found = std::find_if(small_runs_.rbegin(), small_runs_.rend(),
                                  [&](const auto& small) { return small->fits(run); });
  if (found == small_runs_.rend()) return nullptr;
  std::unique_ptr<SmallRun> taken = std::move(*found);
  small_runs_.erase(std::next(found).base());
  return taken;
}

void Model::keep_small_run(std::unique_ptr<SmallRun> small) {
  std::unique_ptr<SmallRun> oldest;
  std::lock_guard lock(small_mutex_);
  if (small_runs_.size() == kMaxKept) {
    oldest = std::move(small_runs_.front());
    small_runs_.erase(small_runs_.begin());
  }
  small_runs_.push_back(std::move(small));
}

base::Result<bool> Model::run_small(const sn_run& run) {
  for (size_t i = 0; i < run.input_count; ++i) {
    const sn_tensor& tensor = element(run.inputs, i);
    if (!is_small(tensor, tensor.buffer.byte_size)) return false;
  }
  for (size_t i = 0; i < run.output_count; ++i) {
    const sn_tensor& tensor = element(run.outputs, i);
    size_t index = 0;
    if (!is_small(tensor, tensor.buffer.capacity) || find_output(tensor.name, index) == nullptr ||
        never_lent_[index].load(std::memory_order_relaxed)) {
      return false;
    }
  }
  std::unique_ptr<SmallRun> small = take_small_run(run);
  if (small == nullptr) {
    auto made = SmallRun::make(*runtime_, run);
    if (!made.ok()) return false;
    small = *std::move(made);
  }
  const base::Status status = small->run(*this, run);
  if (is_final(status)) return status;
  if (!status.ok()) return false;
  keep_small_run(std::move(small));
  Few<sn_tensor> outputs;
  for (size_t i = 0; i < run.output_count; ++i) {
    sn_tensor& output = outputs.emplace_back(element(run.outputs, i));
    output.buffer.byte_size = output.buffer.capacity;
  }
  sn_response response{};
  response.size = sizeof(response);
  response.outputs = outputs.data();
  response.output_count = outputs.size();
  response.final = 1;
  if (on_success_) on_success_();
  run.on_response(run.ctx, &response);
  return true;
}

}  // namespace supernova::engine::onnxruntime
