// An external delegate: a plug-in library that takes nodes of a graph away from the runtime.
// Between the runtime and it stands a delegate of ours, which looks at what is left of each graph:
// the only way to tell truthfully where nodes run. One per instance; it must outlive the
// interpreter.
#pragma once

#include <cstdarg>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/tflite/c_api.h"
#include "engine/tflite/options.h"

namespace supernova::engine::tflite {

// Messages of the runtime or of a delegate while something is done, for its error.
class Messages {
 public:
  void add(std::string_view message);
  void clear() { text_.clear(); }
  const std::string& text() const { return text_; }
  // As an error reporter of the runtime; `self` is a Messages.
  static void report(void* self, const char* format, va_list args) noexcept;

 private:
  std::string text_;
};

class ExternalDelegate {
 public:
  // Loads the library and makes the delegate. The error says what is missing and how to get it.
  static base::Result<std::unique_ptr<ExternalDelegate>> create(const DelegateChoice& choice);
  // Whether the library is there.
  static base::Status find(const DelegateChoice& choice);
  ~ExternalDelegate();
  ExternalDelegate(const ExternalDelegate&) = delete;
  ExternalDelegate& operator=(const ExternalDelegate&) = delete;

  c::Delegate* handle() { return &ours_; }
  const DelegateChoice& choice() const { return choice_; }
  // How many graphs it was shown. Node `number` of graph `graph`, both counted as in the file, was
  // left to the runtime by the last look.
  size_t graph_count() const { return left_.size(); }
  bool left_to_runtime(size_t graph, size_t number) const;

 private:
  explicit ExternalDelegate(DelegateChoice choice) : choice_(std::move(choice)) {}
  static c::Status prepare(c::Context* context, c::Delegate* self) noexcept;
  c::Status look(c::Context* context);

  DelegateChoice choice_;
  c::DestroyDelegate destroy_ = nullptr;
  c::Delegate* theirs_ = nullptr;
  c::Delegate ours_{};
  std::map<c::Context*, size_t> graphs_;  // by the order they came in first, as in the file
  std::vector<std::vector<int>> left_;    // of each graph, sorted
};

}  // namespace supernova::engine::tflite
