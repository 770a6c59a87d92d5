// Opening an instance, and where its nodes run. Running it is in run.cc.
#include "engine/tflite/instance.h"

#include <algorithm>

#include "engine/option_values.h"
#include "tensor/tflite/names.h"

namespace supernova::engine::tflite {
namespace {

constexpr char kCpu[] = "CPU";
constexpr size_t kNamed = 5;  // operators that an error lists

}  // namespace

base::Result<std::unique_ptr<Instance>> Instance::open(const Model& model, const sn_device& device,
                                                       const Options& options, int thread_budget) {
  std::unique_ptr<Instance> instance(new Instance(model));
  SN_ASSIGN(instance->threads_, thread_count(options, thread_budget));
  SN_ASSIGN(instance->use_xnnpack_, uses_xnnpack(options));
  SN_ASSIGN(instance->strict_, is_strict(options));
  instance->has_variables_ = model.has_variables();
  SN_TRY(instance->make_delegate(device, options));
  SN_TRY(instance->make_interpreter());
  SN_TRY(instance->check_tensors());
  instance->place();
  SN_TRY(instance->judge(device));
  // Shapes that no request has said yet are tried too; where they don't fit, the first request
  // does.
  const base::Status allocated = instance->allocate();
  const auto& inputs = model.values().inputs;
  const bool open_sizes = std::any_of(inputs.begin(), inputs.end(), [](const Value& value) {
    return std::any_of(value.dims.begin(), value.dims.end(), [](int64_t d) { return d < 0; });
  });
  if (!allocated.ok() && !open_sizes) return allocated;
  return instance;
}

Instance::~Instance() { close_interpreter(); }

void Instance::close_interpreter() {
  if (interpreter_ != nullptr) api_.TfLiteInterpreterDelete(interpreter_);
  if (options_ != nullptr) api_.TfLiteInterpreterOptionsDelete(options_);
  if (xnnpack_ != nullptr) api_.TfLiteXNNPackDelegateDelete(xnnpack_);
  interpreter_ = nullptr;
  options_ = nullptr;
  xnnpack_ = nullptr;
  allocated_ = false;
}

base::Status Instance::make_delegate(const sn_device& device, const Options& options) {
  SN_ASSIGN(DelegateChoice choice, delegate_choice(device, options));
  const bool compiled = needs_edge_tpu(model_.file());
  choice.takes_custom = compiled;
  if (choice.library.empty() && compiled) {
    return absl::FailedPreconditionError(
        "the file is compiled for the Edge TPU, which is needed to run it: ask for the device "
        "edgetpu, or use the .tflite file it was compiled from");
  }
  if (choice.edge_tpu && !compiled) {
    return absl::FailedPreconditionError(
        "the file is not compiled for the Edge TPU, which would run none of it: compile it with "
        "edgetpu_compiler, or ask for the device cpu");
  }
  if (choice.library.empty()) return {};
  SN_ASSIGN(delegate_, ExternalDelegate::create(choice));
  return {};
}

// XNNPACK gives a model up as a whole where one node is not to its taste: first with all integers,
// then with those that have a sign, then without it. A delegate of a device decides by itself what
// is left, and may not be shown a graph twice.
base::Status Instance::make_interpreter() {
  if (use_xnnpack_ && delegate_ == nullptr && make_with_xnnpack()) return {};
  return make_plain_interpreter();
}

bool Instance::make_with_xnnpack() {
  if (api_.TfLiteXNNPackDelegateCreate == nullptr || api_.TfLiteXNNPackDelegateDelete == nullptr) {
    return false;
  }
  for (const uint32_t flags : {c::kSignedIntegers | c::kUnsignedIntegers, +c::kSignedIntegers}) {
    close_interpreter();
    c::XnnpackOptions options{};
    options.threads = threads_;
    options.flags = flags;
    c::Delegate* made = api_.TfLiteXNNPackDelegateCreate(&options);
    if (made == nullptr) return false;
    xnnpack_ = made;
    if (make_bare_interpreter(made).ok() &&
        api_.TfLiteInterpreterAllocateTensors(interpreter_) == c::kOk) {
      return true;
    }
  }
  return false;
}

base::Status Instance::make_plain_interpreter() {
  close_interpreter();
  return make_bare_interpreter(delegate_ != nullptr ? delegate_->handle() : nullptr);
}

base::Status Instance::make_bare_interpreter(c::Delegate* delegate) {
  messages_.clear();
  options_ = api_.TfLiteInterpreterOptionsCreate();
  if (options_ == nullptr) return absl::ResourceExhaustedError("no memory for an interpreter");
  api_.TfLiteInterpreterOptionsSetNumThreads(options_, threads_);
  api_.TfLiteInterpreterOptionsSetErrorReporter(options_, &Messages::report, &messages_);
  if (api_.TfLiteInterpreterOptionsEnableCancellation != nullptr) {
    api_.TfLiteInterpreterOptionsEnableCancellation(options_, true);
  }
  if (delegate != nullptr) api_.TfLiteInterpreterOptionsAddDelegate(options_, delegate);
  interpreter_ = api_.TfLiteInterpreterCreate(model_.handle(), options_);
  if (interpreter_ != nullptr) return {};
  if (delegate_ == nullptr) {
    return failure(absl::StatusCode::kUnimplemented, "the model can't be opened");
  }
  return failure(absl::StatusCode::kFailedPrecondition,
                 base::str_cat("the model can't be opened with the delegate of '",
                               delegate_->choice().library, "'"));
}

// The file was read by two readers, which have to agree on what there is.
base::Status Instance::check_tensors() const {
  const Values& values = model_.values();
  const int32_t inputs = api_.TfLiteInterpreterGetInputTensorCount(interpreter_);
  const int32_t outputs = api_.TfLiteInterpreterGetOutputTensorCount(interpreter_);
  const auto& graph = model_.file().subgraphs[0];
  bool same = inputs == static_cast<int32_t>(graph.inputs.size()) &&
              outputs == static_cast<int32_t>(graph.outputs.size());
  for (const Value& value : values.inputs) {
    same = same && api_.TfLiteInterpreterGetInputTensor(interpreter_, value.position) != nullptr;
  }
  for (const Value& value : values.outputs) {
    same = same && api_.TfLiteInterpreterGetOutputTensor(interpreter_, value.position) != nullptr;
  }
  return same ? base::Status()
              : absl::InternalError("TensorFlow Lite sees other inputs and outputs in the file");
}

base::Status Instance::allocate() {
  messages_.clear();
  allocated_ = api_.TfLiteInterpreterAllocateTensors(interpreter_) == c::kOk;
  if (allocated_) return check_still_placed();
  return failure(absl::StatusCode::kInvalidArgument, "the tensors can't be laid out");
}

base::Status Instance::check_still_placed() const {
  if (!strict_ || delegate_ == nullptr) return {};
  size_t left = 0;
  for_each_operator([&](size_t, size_t, bool on_cpu) { left += on_cpu ? 1 : 0; });
  if (left <= on_cpu_) return {};
  return absl::FailedPreconditionError(
      base::str_cat("with these shapes the delegate of '", delegate_->choice().library, "' leaves ",
                    left, " operators to the CPU; strict_device forbids that"));
}

template <typename Each>
void Instance::for_each_operator(Each each) const {
  const auto& graphs = model_.file().subgraphs;
  // The delegate was shown graphs in the order of the file.
  const size_t shown = delegate_ != nullptr ? std::min(delegate_->graph_count(), graphs.size()) : 0;
  for (size_t g = 0; g < std::max<size_t>(shown, 1); ++g) {
    for (size_t i = 0; i < graphs[g].operators.size(); ++i) {
      each(g, i, delegate_ == nullptr || delegate_->left_to_runtime(g, i));
    }
  }
}

void Instance::place() {
  placed_.clear();
  placement_.clear();
  on_cpu_ = 0;
  for_each_operator([&](size_t number, size_t i, bool on_cpu) {
    const auto& graph = model_.file().subgraphs[number];
    const auto& op = graph.operators[i];
    Placed placed{tensor::tflite::node_name(graph, op, i), shown_name(op), kCpu, ""};
    if (!on_cpu) placed.where = delegate_->choice().where;
    if (on_cpu) ++on_cpu_;
    if (on_cpu && delegate_ != nullptr) {
      placed.reason =
          base::str_cat("the delegate of '", delegate_->choice().library, "' does not take it");
    }
    placed_.push_back(std::move(placed));
  });
  for (const Placed& placed : placed_) {
    sn_node_placement& node = placement_.emplace_back();
    node.size = sizeof(node);
    node.node = placed.node.c_str();
    node.op = placed.op.c_str();
    node.where = placed.where.c_str();
    node.reason = placed.reason.empty() ? nullptr : placed.reason.c_str();
  }
}

base::Status Instance::judge(const sn_device& device) {
  fallback_.clear();
  if (delegate_ == nullptr || on_cpu_ == 0) return {};
  std::vector<std::string> left;
  for (const Placed& placed : placed_) {
    if (placed.where != kCpu) continue;
    if (left.size() == kNamed) {
      left.push_back("…");
      break;
    }
    left.push_back(base::str_cat("'", placed.node, "' (", placed.op, ")"));
  }
  fallback_ =
      base::str_cat("the delegate of '", delegate_->choice().library, "' leaves ", on_cpu_, " of ",
                    placed_.size(), " operators to the CPU: ", base::str_join(left, ", "));
  if (strict_) {
    return absl::FailedPreconditionError(base::str_cat(fallback_, "; strict_device forbids that"));
  }
  if (device.kind != SN_DEVICE_CPU && on_cpu_ == placed_.size()) {
    return absl::FailedPreconditionError(
        base::str_cat(fallback_, "; none would run on the device. Ask for the device cpu"));
  }
  return {};
}

void Instance::info(sn_verdict& verdict) const {
  verdict.compatibility = delegate_ != nullptr && on_cpu_ > 0 ? SN_CAN_RUN_PARTLY : SN_CAN_RUN;
  verdict.reason = fallback_.empty() ? nullptr : fallback_.c_str();
  verdict.placement = placement_.data();
  verdict.placement_count = placement_.size();
}

base::Status Instance::failure(absl::StatusCode code, std::string_view what) const {
  return {code, base::str_cat("TensorFlow Lite: ", what, messages_.text().empty() ? "" : ": ",
                              messages_.text())};
}

}  // namespace supernova::engine::tflite
