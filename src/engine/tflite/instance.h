// One interpreter of a model, on the CPU or with an external delegate. One run at a time.
#pragma once

#include <supernova/engine.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/tflite/delegate.h"
#include "engine/tflite/model.h"

namespace supernova::engine::tflite {

class Instance {
 public:
  // FAILED_PRECONDITION where the device can't be had, where it takes no operator at all, and, with
  // strict_device, where it leaves any to the CPU. `thread_budget` 0 = not said.
  static base::Result<std::unique_ptr<Instance>> open(const Model& model, const sn_device& device,
                                                      const Options& options, int thread_budget);
  ~Instance();

  // Runs and delivers the response through run.on_response. An error = nothing was delivered.
  base::Status run(const sn_run& run);
  // Takes effect between operators where the library can, else before and after them.
  void cancel(const sn_run& run);
  // Where nodes run; pointers live as long as the instance.
  void info(sn_verdict& verdict) const;
  // A line where the device asked for leaves operators to the CPU, "" where not.
  const std::string& fallback() const { return fallback_; }

 private:
  explicit Instance(const Model& model) : model_(model), api_(model.runtime().api) {}
  base::Status make_delegate(const sn_device& device, const Options& options);
  // Makes the interpreter, or another one in its place: on XNNPACK's kernels as far as they take
  // the model, or on the plain ones.
  base::Status make_interpreter();
  base::Status make_plain_interpreter();
  bool make_with_xnnpack();
  base::Status make_bare_interpreter(c::Delegate* delegate);
  void close_interpreter();
  base::Status check_tensors() const;
  base::Status allocate();
  // Calls `each(graph, number, on_cpu)` for every operator of the graphs that run.
  template <typename Each>
  void for_each_operator(Each each) const;
  void place();
  base::Status judge(const sn_device& device);
  // Another shape may make a delegate take less than it did.
  base::Status check_still_placed() const;

  base::Status compute(const sn_run& run);
  bool has_shapes_of(const sn_run& run) const;
  base::Status set_shapes(const sn_run& run);
  base::Status set_input(const Value& value, const sn_tensor& tensor);
  base::Status invoke(const sn_run& run);
  c::Status invoke_interpreter();
  bool nothing_to_compute() const;
  base::Status deliver(const sn_run& run);
  bool failed_in_delegate() const;
  base::Status failure(absl::StatusCode code, std::string_view what) const;

  struct Placed {
    std::string node;
    std::string op;
    std::string where;
    std::string reason;
  };

  const Model& model_;
  const c::Api& api_;
  Messages messages_;
  std::unique_ptr<ExternalDelegate> delegate_;  // outlives the interpreter
  int threads_ = 1;
  bool use_xnnpack_ = false;
  c::Delegate* xnnpack_ = nullptr;  // outlives the interpreter; null = the plain kernels run
  bool plain_for_now_ = false;      // only because XNNPACK does not take the latest shapes
  c::Options* options_ = nullptr;
  c::Interpreter* interpreter_ = nullptr;
  bool allocated_ = false;
  bool has_variables_ = false;

  std::vector<Placed> placed_;
  std::vector<sn_node_placement> placement_;  // into placed_
  size_t on_cpu_ = 0;
  bool strict_ = false;
  std::string fallback_;

  std::mutex cancel_mutex_;          // guards what follows
  const sn_run* running_ = nullptr;  // what cancel() finds
  bool is_invoking_ = false;         // the interpreter is at it
  std::atomic<bool> cancelled_{false};
};

}  // namespace supernova::engine::tflite
