// The runs of a session that the runtime is at, each with the options by which it can be told to
// end. Thread-safe; takes no memory for a run once as many have been under way together.
#pragma once

#include <supernova/engine.h>

#include <mutex>
#include <vector>

#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

class RunningRuns {
 public:
  // One call of OrtApi::Run.
  class Entry {
   public:
    Entry(RunningRuns& all, const sn_run& run) : all_(all), run_(run), options_(all.begin(run)) {}
    ~Entry() { all_.end(run_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    // Null where the runtime has no memory for them: it can't be told to end.
    const OrtRunOptions* options() const { return options_; }
    bool cancelled() const { return all_.was_cancelled(run_); }

   private:
    RunningRuns& all_;
    const sn_run& run_;
    OrtRunOptions* options_;
  };

  // The runtime ends it before its next node. Nothing where it is not at that run.
  void cancel(const sn_run& run);
  // Gives the memory back, while there is no run.
  void clear() { idle_.clear(); }

 private:
  using Options = std::unique_ptr<OrtRunOptions, Releaser<&OrtApi::ReleaseRunOptions>>;
  struct Running {
    const sn_run* run;
    Options options;
    bool cancelled;
  };
  OrtRunOptions* begin(const sn_run& run);
  void end(const sn_run& run);
  bool was_cancelled(const sn_run& run);
  Running& find(const sn_run& run);

  std::mutex mutex_;
  std::vector<Running> running_;
  std::vector<Options> idle_;
};

}  // namespace supernova::engine::onnxruntime
