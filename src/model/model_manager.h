// The models that are served: looks at their sources, decides what should serve, and has the
// reconciler make it so. Lends handles to ready versions. Look-ups are safe from any thread and
// never wait for a load.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "engine/catalogue.h"
#include "model/look_up.h"
#include "model/model_source.h"
#include "model/model_version.h"
#include "model/open_version.h"
#include "model/reconciler.h"
#include "model/repository.h"
#include "model/uploaded_files.h"
#include "tensor/artefact.h"

namespace supernova::model {

// A load that a client asks for.
struct LoadRequest {
  using File = UploadedFile;
  std::string config;       // JSON of a model configuration; "" = the repository's own
  std::vector<File> files;  // instead of the repository's
};

// Who decides what is loaded after the start.
enum class ControlMode {
  kNone,      // nobody: all is loaded at start
  kPoll,      // the repositories, looked at every poll_interval
  kExplicit,  // clients
};

struct ManagerOptions {
  ControlMode control = ControlMode::kNone;
  std::vector<VersionSource> models;       // MODEL arguments; always loaded at start
  std::vector<std::string> repositories;   // folders
  std::vector<std::string> load_at_start;  // explicit control: names, "*" = all
  std::chrono::milliseconds poll_interval{15'000};
  size_t loader_threads = 2;
  // Bytes that models may take; where a new version does not fit beside the one that it replaces,
  // that one is unloaded first. 0 = no limit.
  uint64_t memory_budget = 0;
  LoadOptions load;
};

class ModelManager {
 public:
  // Null devices: this machine's. They are looked at when a model is to go beyond the CPU, and anew
  // at the next such load after a client asks for one.
  ModelManager(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue,
               device::DeviceList* devices = nullptr);
  ~ModelManager();

  // Loads one version on this thread, from its path as it is; it is listed with its reason if that
  // fails. ALREADY_EXISTS for a name taken. For programs that serve nobody.
  base::Status load(const VersionSource& source, const LoadOptions& options);
  // Loads what is to serve from the start and returns when each has become ready or has failed:
  // a line for each failure, also in the log. Then follows the control mode. An error means that
  // nothing was started: a repository can't be looked at, or a name to be loaded isn't there. Once.
  base::Result<std::vector<std::string>> start(const ManagerOptions& options);

  base::Result<VersionHandle> find(std::string_view name, std::string_view version) const {
    return look_up_.find(name, version);
  }
  base::Result<VersionHandle> find_by_label(std::string_view name, std::string_view label) const {
    return look_up_.find_by_label(name, label);
  }
  // Every version that serves, loads or failed, by name.
  std::vector<VersionHandle> list() const { return look_up_.list(); }
  base::Result<std::vector<VersionHandle>> ready_versions(std::string_view name) const {
    return look_up_.ready_versions(name);
  }

  // Every model the repositories hold, loaded or not, with what became of it. Under explicit
  // control this reads the repositories' folders.
  std::vector<IndexEntry> index(bool only_ready) const;
  // Explicit control: `done` says how it ended. UNAVAILABLE unless the control mode is explicit. A
  // load ends when every version that should serve does, or has failed; nothing happens to what is
  // loaded and unchanged. An unload ends when its memory is given back, or after ten seconds while
  // requests in progress still hold it; no new request finds the model from the start. Unloading
  // what isn't loaded is no error. No model depends on another, so that no dependents exist.
  void load_explicitly(std::string name, LoadRequest request, LifecycleDone done);
  void unload_explicitly(std::string name, bool unload_dependents, LifecycleDone done);
  // Waits for queued and running requests, then closes all sessions. No look-up succeeds
  // afterwards.
  void drain();

 private:
  bool recognises(const std::string& path) const;
  std::vector<Look> look(std::string_view only = {}) const;
  std::vector<Look> believable(const std::vector<Look>& now);
  void report(const std::vector<Look>& looks);
  Operation operation_for(const SeenModel& seen, std::string_view config) const;
  base::Result<Operation> load_operation(const std::string& name, const LoadRequest& request) const;
  std::vector<std::string> load_and_wait(const SeenModels& models);
  void poll();
  bool look_again();

  tensor::ArtefactProvider& provider_;
  device::DeviceList own_devices_;
  device::DeviceList& devices_;
  LookUp look_up_;
  Steward steward_;
  VersionOpener opener_;
  Reconciler reconciler_;
  ManagerOptions options_;
  bool started_ = false;  // set once by start(), before any front end serves

  // What bare files were recognised as, so that polling does not read them again.
  mutable std::mutex recognised_mutex_;
  mutable std::map<std::string, std::pair<uint64_t, bool>> recognised_;

  // Of the polling thread, and start() before it.
  std::vector<Look> looks_;  // as last believed
  SeenModels seen_;          // at the last look
  SeenModels applied_;       // what the reconciler has been told
  std::set<std::string> reported_;
  std::mutex poll_mutex_;
  std::condition_variable poll_wake_;
  bool poll_stops_ = false;
  std::thread poll_thread_;
};

}  // namespace supernova::model
