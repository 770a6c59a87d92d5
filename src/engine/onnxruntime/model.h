// One ONNX model in one OrtSession, which instances share (Run is thread-safe), and its signature.
#pragma once

#include <supernova/engine.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/onnxruntime/options.h"
#include "engine/onnxruntime/running_runs.h"
#include "engine/onnxruntime/runtime.h"
#include "engine/onnxruntime/types.h"

namespace supernova::engine::onnxruntime {

inline constexpr char kFormat[] = "onnx";
inline constexpr char kPreparedFormat[] = "ort";

class Model {
 public:
  ~Model();
  // Reads a file, or bytes with `path` as the folder of external data; bytes of the format "ort"
  // are used in place. Of the options it takes intra_op_threads, graph_optimization_level (default
  // all) and those that start with "session." or "ep.", which go to the runtime as they are; others
  // are somebody else's.
  // `configure`, where given, has the last word on the session.
  using Configure = std::function<base::Status(OrtSessionOptions*)>;
  static base::Result<std::unique_ptr<Model>> open(const Runtime& runtime,
                                                   const sn_artefact& artefact,
                                                   const Options& options, int thread_budget = 0,
                                                   const Configure& configure = nullptr);
  // The signature alone, without the memory and the time that weights take: it can't run.
  static base::Result<std::unique_ptr<Model>> open_signature(const Runtime& runtime,
                                                             const sn_artefact& artefact);

  // Makes "model.ort" of an ONNX model: optimised for this machine's processors, in the runtime's
  // own format, which is opened in place. UNIMPLEMENTED where the runtime can't write it.
  static base::Status compile(const Runtime& runtime, const sn_artefact& artefact,
                              const Options& options, const sn_sink& sink);

  // Runs and delivers the response through run.on_response. An error = nothing was delivered.
  base::Status run(const sn_run& run);
  // Called for each run that went well, before its response is delivered. To be set before runs.
  void on_success(std::function<void()> tell) { on_success_ = std::move(tell); }
  // Makes a run end before its next node, with CANCELLED. Any thread.
  void cancel(const sn_run& run) { running_.cancel(run); }
  // Runs for its own sake, on inputs of zeros, where those can be made up.
  base::Status run_on_zeros();
  // Gives the session's memory back; what is left is the signature.
  void drop_session();

  const OrtSession* session() const { return session_.get(); }
  const sn_model_info& info() const { return info_; }
  // Bytes the session holds for weights and as working memory; 0 = not known.
  uint64_t host_memory_bytes() const;
  // The same of another memory that the session allocates in.
  uint64_t bytes_in(const OrtMemoryInfo& memory) const;
  // Whether both take and give the same.
  bool same_signature(const Model& other) const;

 private:
  Model();
  static base::Result<SessionOptionsPtr> session_options(const sn_artefact& artefact,
                                                         const Options& options,
                                                         int thread_budget = 0);
  static base::Result<std::unique_ptr<Model>> open(const Runtime& runtime,
                                                   const sn_artefact& artefact,
                                                   const OrtSessionOptions& options);
  base::Status read_signature();
  void find_handed_through();
  void fill_info();

  // Values on memory of their own, for runs of small tensors of the same shapes (small_run.cc).
  class SmallRun;
  std::unique_ptr<SmallRun> take_small_run(const sn_run& run);
  void keep_small_run(std::unique_ptr<SmallRun> small);
  // CANCELLED, and what a provider failed with (UNAVAILABLE, UNKNOWN): the run is not made again.
  static bool is_final(const base::Status& status) {
    return absl::IsCancelled(status) || absl::IsUnavailable(status) || absl::IsUnknown(status);
  }
  // False where the run is none of this kind, or failed: whoever asks again learns why, except of
  // what is final.
  base::Result<bool> run_small(const sn_run& run);

  struct RunValues;
  base::Status prepare_inputs(const sn_run& run, RunValues& values);
  base::Status prepare_outputs(const sn_run& run, RunValues& values);
  // Inputs and outputs as OrtApi::Run takes them.
  struct Arguments {
    const char* const* input_names;
    const OrtValue* const* inputs;
    size_t input_count;
    const char* const* output_names;
    size_t output_count;
    OrtValue** outputs;
  };
  base::Status call(const sn_run& run, const Arguments& arguments);
  base::Status call(const sn_run& run, RunValues& values);
  base::Status call_without_lent(const sn_run& run, RunValues& values);
  base::Status deliver(const sn_run& run, RunValues& values) const;
  const ValueInfo* find_output(const char* name, size_t& index) const;
  // The input of this name if it is no tensor, else null.
  const ValueInfo* find_wrapped(const char* name) const;

  const Runtime* runtime_ = nullptr;
  SessionPtr session_;
  std::vector<ValueInfo> inputs_;
  std::vector<ValueInfo> outputs_;
  // Outputs for which lent memory is not used: those that are inputs, which the runtime hands
  // through and leaves lent memory as it was, and those whose declared shape turned out to be
  // wrong.
  std::unique_ptr<std::atomic<bool>[]> never_lent_;

  std::function<void()> on_success_;
  RunningRuns running_;
  std::mutex small_mutex_;
  std::vector<std::unique_ptr<SmallRun>> small_runs_;  // those not in use, the latest last

  // What info_ points to.
  std::vector<std::vector<const char*>> symbols_;
  std::vector<sn_tensor_info> input_infos_;
  std::vector<sn_tensor_info> output_infos_;
  sn_signature signature_{};
  sn_model_info info_{};
};

}  // namespace supernova::engine::onnxruntime
