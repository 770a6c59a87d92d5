// Makes of each model what should serve of it. Operations (a new plan, an unload) wait in a queue
// per model; next_action says what to do, the loader threads do it, one transition at a time per
// model. The look-up table follows each step. Thread-safe.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/loader_threads.h"
#include "model/look_up.h"
#include "model/model_plan.h"
#include "model/next_action.h"
#include "model/open_version.h"
#include "model/steward.h"

namespace supernova::model {

// Called once, on any thread, when a load or unload has ended.
using LifecycleDone = absl::AnyInvocable<void(base::Status)>;

// What should become of a model.
struct Operation {
  enum class Kind {
    kServe,   // `plan` is what should serve
    kRefuse,  // what lies there now can't be served (`refusal`); what serves goes on
    kUnload,  // nothing should serve; the model stays in the index as unloaded
    kForget,  // the model is gone from its repository
  };
  Kind kind = Kind::kServe;
  ModelPlan plan;
  base::Status refusal;
  bool retry = false;  // also try again what failed and has not changed
  LifecycleDone done;  // may be null
};

class Reconciler {
 public:
  Reconciler(const VersionOpener& opener, Steward& steward, LookUp& look_up)
      : opener_(opener), steward_(steward), look_up_(look_up) {}
  ~Reconciler() { stop(); }

  void start(const LoadOptions& options, uint64_t memory_budget, size_t threads);
  void submit(const std::string& name, Operation operation);
  // Work of a low priority that isn't a transition; `stopping()` says when to give it up.
  void run_on_loader(absl::AnyInvocable<void()> task);
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  // Puts in place a version that was opened by the caller. ALREADY_EXISTS for one that is there.
  base::Status add(const VersionHandle& version, const base::Status& status);
  std::shared_ptr<Statistics> statistics_of(const std::string& name, int64_t version);
  // Ends the loader threads and answers what waits UNAVAILABLE; what serves is left as it is.
  void stop();

 private:
  struct Version {
    std::optional<DesiredVersion> wanted;
    VersionHandle serving;
    uint64_t serving_mark = 0;
    VersionHandle attempt;  // loads, or failed to
    std::optional<uint64_t> failed_mark;
    int closing = 0;        // how many that bore this number have handles out
    bool unloaded = false;  // on a client's wish
  };
  // Answers an operation when each version that it unloaded is closed.
  struct Leaving {
    void release() {
      if (--left == 0 && done) done(status);
    }
    std::atomic<size_t> left{1};  // the operation itself
    LifecycleDone done;
    base::Status status;
  };
  struct Model {
    std::map<int64_t, Version> versions;
    std::deque<Operation> waiting;
    std::optional<Operation> current;
    std::shared_ptr<const ModelPlan> plan;  // of the last kServe
    std::string refusal;
    std::shared_ptr<Leaving> leaving;  // what the current operation unloads
    bool busy = false;
  };
  using Answer = absl::AnyInvocable<void()>;
  using Answers = std::vector<Answer>;

  // All with the lock held.
  void advance(const std::string& name, Answers& answers);
  void begin(Model& model);
  static bool is_closing(const Model& model);
  void note_closed(const std::string& name, int64_t number, Answers& answers);
  void finish(const std::string& name, Model& model, Answers& answers);
  ModelFactsNow facts_of(const Model& model) const;
  void begin_load(const std::string& name, Model& model, int64_t number);
  void unload(const std::string& name, Model& model, int64_t number);
  void watch_closing(const std::string& name, int64_t number, const ModelVersion* version);
  void publish(const std::string& name, const Model& model);
  bool forget_what_is_gone(const std::string& name, Model& model);

  // On a loader thread.
  void load(const std::string& name, const DesiredVersion& wanted,
            std::shared_ptr<const ModelPlan> plan, const VersionHandle& attempt);
  void write_manifest(const VersionHandle& version, const std::string& place);
  // On the steward's thread.
  void closed(const std::string& name, int64_t number);

  const VersionOpener& opener_;
  Steward& steward_;
  LookUp& look_up_;
  LoadOptions options_;
  uint64_t memory_budget_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::map<std::string, Model> models_;
  std::map<std::pair<std::string, int64_t>, std::shared_ptr<Statistics>> statistics_;
  std::unique_ptr<LoaderThreads> loaders_;
};

}  // namespace supernova::model
