// An external delegate that stands in for a device: it takes every node of the kinds it is told to
// and computes them itself, on floats.
//
//   take=ADD,MUL    which: ADD, MUL (same shapes, no activation), or edgetpu-custom-op, which here
//                   gives twice its input. Default ADD
//   most=N          at most so many nodes
//   static=1        as delegates do that can't have tensors of open sizes
//   fail=WHEN       create, prepare or invoke: fails then, with a message
//   abort=WHEN      create, prepare or invoke: ends the process
//   mark=X          is added to every result, so that it shows who computed it
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "delegate_abi.h"

namespace test_delegate {
namespace {

constexpr int kAdd = 0;
constexpr int kMul = 18;
constexpr int kCustom = 32;
constexpr int64_t kAllowDynamicTensors = 1;

struct Mine {
  Delegate delegate{};
  std::map<std::string, std::string> options;

  std::string option(const std::string& key) const {
    const auto found = options.find(key);
    return found != options.end() ? found->second : "";
  }
  // Whether this is the moment to misbehave.
  bool is_to_fail(const char* when) const {
    if (option("abort") == when) std::abort();
    return option("fail") == when;
  }
};

enum class Kind { kNone, kAdd, kMul, kTwice };

struct Step {
  Kind kind;
  std::vector<int> inputs;
  int output;
};

// One delegate node: the steps it replaces, in order.
struct Kernel {
  const Mine* mine;
  std::vector<Step> steps;
};

Mine& mine_of(Delegate* delegate) { return *static_cast<Mine*>(delegate->data); }

Kind kind_of(const Mine& mine, const Registration& registration) {
  std::string name;
  Kind kind = Kind::kNone;
  if (registration.builtin_code == kAdd) {
    name = "ADD";
    kind = Kind::kAdd;
  } else if (registration.builtin_code == kMul) {
    name = "MUL";
    kind = Kind::kMul;
  } else if (registration.builtin_code == kCustom && registration.custom_name != nullptr) {
    name = registration.custom_name;
    if (name == "edgetpu-custom-op") kind = Kind::kTwice;
  }
  const std::string take = "," + (mine.option("take").empty() ? "ADD" : mine.option("take")) + ",";
  return take.find("," + name + ",") != std::string::npos ? kind : Kind::kNone;
}

void* init(Context* context, const char* buffer, size_t) {
  const auto& params = *reinterpret_cast<const Params*>(buffer);
  auto kernel = std::make_unique<Kernel>();
  kernel->mine = &mine_of(params.delegate);
  for (int i = 0; i < params.nodes->size; ++i) {
    Node* node = nullptr;
    Registration* registration = nullptr;
    if (context->get_node(context, params.nodes->data[i], &node, &registration) != kOk) continue;
    Step step{kind_of(*kernel->mine, *registration), {}, node->outputs->data[0]};
    for (int k = 0; k < node->inputs->size; ++k) step.inputs.push_back(node->inputs->data[k]);
    kernel->steps.push_back(std::move(step));
  }
  return kernel.release();
}

void release(Context*, void* kernel) { delete static_cast<Kernel*>(kernel); }

// Results have the shape of the first input.
Status prepare_node(Context* context, Node* node) {
  for (const Step& step : static_cast<Kernel*>(node->user_data)->steps) {
    const IntArray& from = *context->tensors[step.inputs[0]].dims;
    const size_t bytes = sizeof(int) * (static_cast<size_t>(from.size) + 1);
    auto* dims = static_cast<IntArray*>(std::malloc(bytes));  // the runtime frees it
    std::memcpy(dims, &from, bytes);
    if (context->resize_tensor(context, &context->tensors[step.output], dims) != kOk) return kError;
  }
  return kOk;
}

Status invoke_node(Context* context, Node* node) {
  const Kernel& kernel = *static_cast<Kernel*>(node->user_data);
  if (kernel.mine->is_to_fail("invoke")) {
    context->report_error(context, "the device %s", "was unplugged");
    return kDelegateError;
  }
  const float mark = std::strtof(kernel.mine->option("mark").c_str(), nullptr);
  // What lies between two steps is no tensor that the runtime keeps.
  std::map<int, std::vector<float>> between;
  for (size_t i = 0; i < kernel.steps.size(); ++i) {
    const Step& step = kernel.steps[i];
    const auto values = [&](int number) {
      const auto found = between.find(number);
      return found != between.end() ? found->second.data()
                                    : static_cast<const float*>(context->tensors[number].data);
    };
    const float* a = values(step.inputs[0]);
    const float* b = step.inputs.size() > 1 ? values(step.inputs[1]) : a;
    const Tensor& output = context->tensors[step.output];
    std::vector<float> result(output.bytes / sizeof(float));
    for (size_t k = 0; k < result.size(); ++k) {
      result[k] = (step.kind == Kind::kMul ? a[k] * b[k] : a[k] + b[k]) + mark;
    }
    if (output.data != nullptr) std::memcpy(output.data, result.data(), output.bytes);
    between[step.output] = std::move(result);
  }
  return kOk;
}

// Elements are taken one by one: a second input that is repeated is for somebody else.
bool has_one_shape(const Context& context, const Node& node) {
  const IntArray& first = *context.tensors[node.inputs->data[0]].dims;
  for (int i = 1; i < node.inputs->size; ++i) {
    const IntArray& other = *context.tensors[node.inputs->data[i]].dims;
    if (other.size != first.size || !std::equal(first.data, first.data + first.size, other.data)) {
      return false;
    }
  }
  return true;
}

Status prepare(Context* context, Delegate* delegate) {
  const Mine& mine = mine_of(delegate);
  if (mine.is_to_fail("prepare")) {
    context->report_error(context, "the graph does not fit the device");
    return kDelegateError;
  }
  IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != kOk) return kError;
  const std::vector<int> numbers(plan->data, plan->data + plan->size);
  const std::string most = mine.option("most");
  const size_t limit = most.empty() ? numbers.size() : std::strtoul(most.c_str(), nullptr, 10);
  std::vector<int> taken{0};  // the size comes first
  for (const int number : numbers) {
    Node* node = nullptr;
    Registration* registration = nullptr;
    if (context->get_node(context, number, &node, &registration) != kOk) return kError;
    if (kind_of(mine, *registration) == Kind::kNone || taken.size() > limit) continue;
    if (context->tensors[node->outputs->data[0]].type != kFloat32) continue;
    if (!has_one_shape(*context, *node)) continue;
    taken.push_back(number);
  }
  taken[0] = static_cast<int>(taken.size()) - 1;
  Registration registration{};
  registration.init = &init;
  registration.free = &release;
  registration.prepare = &prepare_node;
  registration.invoke = &invoke_node;
  registration.custom_name = "test_delegate";
  registration.version = 1;
  return context->replace_nodes(context, registration,
                                reinterpret_cast<const IntArray*>(taken.data()), delegate);
}

}  // namespace
}  // namespace test_delegate

extern "C" {

__attribute__((visibility("default"))) test_delegate::Delegate* tflite_plugin_create_delegate(
    char** keys, char** values, size_t count, void (*report)(const char*)) {
  using test_delegate::Mine;
  auto mine = std::make_unique<Mine>();
  for (size_t i = 0; i < count; ++i) mine->options[keys[i]] = values[i];
  if (mine->is_to_fail("create")) {
    if (report != nullptr) report("no device answers");
    return nullptr;
  }
  mine->delegate.data = mine.get();
  mine->delegate.prepare = &test_delegate::prepare;
  if (mine->option("static") != "1") mine->delegate.flags = test_delegate::kAllowDynamicTensors;
  return &mine.release()->delegate;
}

__attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(
    test_delegate::Delegate* delegate) {
  delete static_cast<test_delegate::Mine*>(delegate->data);
}
}
