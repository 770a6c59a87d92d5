#include "engine/tflite/delegate.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>

#include "engine/tflite/runtime.h"

namespace supernova::engine::tflite {
namespace {

// Without it the runtime prepares all nodes before the delegate sees them, which fails for a custom
// operator that only the delegate knows.
constexpr int64_t kAllowDynamicTensors = 1;
constexpr size_t kMaxMessages = 1200;  // the ABI's errors hold 2,036 bytes

std::string how_to_get(const DelegateChoice& choice) {
  if (!choice.edge_tpu) return "is the option delegate.library right?";
  return "install the Edge TPU's runtime (Debian package libedgetpu1-std of Coral's archive), or "
         "put "
         "the library into the lib folder beside bin";
}

struct Functions {
  c::CreateDelegate create = nullptr;
  c::DestroyDelegate destroy = nullptr;
};

base::Result<Functions> load(const DelegateChoice& choice) {
  const auto library = open_library(choice.library);
  if (!library.ok()) {
    return absl::FailedPreconditionError(
        base::str_cat("the delegate's library can't be loaded: ", base::message(library.status()),
                      "; ", how_to_get(choice)));
  }
  Functions functions;
  functions.create =
      reinterpret_cast<c::CreateDelegate>(dlsym(*library, "tflite_plugin_create_delegate"));
  functions.destroy =
      reinterpret_cast<c::DestroyDelegate>(dlsym(*library, "tflite_plugin_destroy_delegate"));
  if (functions.create == nullptr || functions.destroy == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat("the delegate's library '", choice.library, "' exports no ",
                      functions.create == nullptr ? "tflite_plugin_create_delegate"
                                                  : "tflite_plugin_destroy_delegate",
                      ", so it is no external delegate of TensorFlow Lite"));
  }
  return functions;
}

// A plug-in's error callback is told nothing but the message.
thread_local Messages* reporting = nullptr;

void report(const char* message) noexcept {
  try {
    if (reporting != nullptr && message != nullptr) reporting->add(message);
  } catch (...) {  // out of memory: a message less
  }
}

c::Delegate* call_create(const Functions& functions, DelegateChoice& choice, Messages& messages) {
  std::vector<char*> keys;
  std::vector<char*> values;
  for (auto& [key, value] : choice.options) {
    keys.push_back(key.data());
    values.push_back(value.data());
  }
  reporting = &messages;
  c::Delegate* made = functions.create(keys.data(), values.data(), keys.size(), &report);
  reporting = nullptr;
  return made;
}

base::Status not_created(const DelegateChoice& choice, const Messages& messages) {
  std::string options;
  for (const auto& [key, value] : choice.options) {
    options += base::str_cat(options.empty() ? " with " : ", ", key, "=", value);
  }
  return absl::FailedPreconditionError(base::str_cat(
      "the delegate of '", choice.library, "' can't be made", options, ": ",
      messages.text().empty() ? "it does not say why" : messages.text(),
      choice.edge_tpu ? "; is the device plugged in, free, and may this process open it?" : ""));
}

}  // namespace

void Messages::add(std::string_view message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) {
    message.remove_suffix(1);
  }
  if (message.empty() || text_.size() >= kMaxMessages) return;
  if (!text_.empty()) text_ += "; ";
  text_ += message.substr(0, kMaxMessages - std::min(text_.size(), kMaxMessages));
  std::replace(text_.begin(), text_.end(), '\n', ' ');
}

void Messages::report(void* self, const char* format, va_list args) noexcept {
  try {
    char line[512];
    const int length = std::vsnprintf(line, sizeof(line), format, args);
    if (length > 0) static_cast<Messages*>(self)->add(line);
  } catch (...) {  // out of memory: a message less
  }
}

base::Status ExternalDelegate::find(const DelegateChoice& choice) { return load(choice).status(); }

base::Result<std::unique_ptr<ExternalDelegate>> ExternalDelegate::create(
    const DelegateChoice& choice) {
  SN_ASSIGN(const Functions functions, load(choice));
  std::unique_ptr<ExternalDelegate> delegate(new ExternalDelegate(choice));
  Messages messages;
  delegate->theirs_ = call_create(functions, delegate->choice_, messages);
  if (delegate->theirs_ == nullptr) return not_created(choice, messages);
  delegate->destroy_ = functions.destroy;
  const c::Delegate& theirs = *delegate->theirs_;
  if (theirs.prepare == nullptr) {
    return absl::UnimplementedError(base::str_cat(
        "the delegate of '", choice.library,
        "' is of the opaque kind, which has no function to prepare a graph; use a build of it with "
        "the plain interface"));
  }
  delegate->ours_.data = delegate.get();
  delegate->ours_.prepare = &ExternalDelegate::prepare;
  delegate->ours_.flags = theirs.flags | (choice.takes_custom ? kAllowDynamicTensors : 0);
  return delegate;
}

ExternalDelegate::~ExternalDelegate() {
  if (theirs_ != nullptr && destroy_ != nullptr) destroy_(theirs_);
}

// Nodes that it takes belong to their delegate, not to ours: from here on the runtime speaks to it.
c::Status ExternalDelegate::prepare(c::Context* context, c::Delegate* self) noexcept {
  try {
    auto& delegate = *static_cast<ExternalDelegate*>(self->data);
    const c::Status status = delegate.theirs_->prepare(context, delegate.theirs_);
    return status == c::kOk ? delegate.look(context) : status;
  } catch (...) {
    return c::kDelegateError;
  }
}

c::Status ExternalDelegate::look(c::Context* context) {
  const size_t graph = graphs_.emplace(context, graphs_.size()).first->second;
  left_.resize(std::max(left_.size(), graph + 1));
  left_[graph].clear();
  c::IntArray* plan = nullptr;
  if (context->get_execution_plan(context, &plan) != c::kOk || plan == nullptr) {
    return c::kDelegateError;
  }
  // Nodes that were taken are gone; the delegate's own have numbers after those of the file.
  left_[graph].assign(plan->data, plan->data + std::max(plan->size, 0));
  std::sort(left_[graph].begin(), left_[graph].end());
  return c::kOk;
}

bool ExternalDelegate::left_to_runtime(size_t graph, size_t number) const {
  return graph >= left_.size() ||
         std::binary_search(left_[graph].begin(), left_[graph].end(), static_cast<int>(number));
}

}  // namespace supernova::engine::tflite
