// One version of one model: a state machine new -> loading -> ready -> draining -> gone, or failed
// with a reason. The reconciler drives the transitions; everybody else reads. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "model/manifest.h"
#include "model/model_config.h"
#include "model/placement_report.h"
#include "model/statistics.h"
#include "schedule/scheduler.h"
#include "tensor/artefact.h"

namespace supernova::model {

enum class VersionState { kNew, kLoading, kReady, kDraining, kGone, kFailed };
std::string_view version_state_name(VersionState state);

// What a load took.
struct VersionCost {
  std::chrono::nanoseconds load_duration{0};
  uint64_t memory_bytes = 0;  // as in LoadFacts, and at least the model's size
};

class ModelVersion {
 public:
  ModelVersion(std::string name, int64_t version, std::string path,
               std::shared_ptr<Statistics> statistics = std::make_shared<Statistics>())
      : name_(std::move(name)),
        version_(version),
        path_(std::move(path)),
        statistics_(std::move(statistics)) {}

  const std::string& name() const { return name_; }
  int64_t version() const { return version_; }
  const std::string& path() const { return path_; }

  VersionState state() const { return state_.load(std::memory_order_acquire); }
  std::string failure() const;  // the reason; "" unless failed

  // UNAVAILABLE with the reason while a ready version's engine can't run it (Session::health).
  base::Status health() const;

  // Transitions; each is an SN_CHECK on the state it starts from.
  void start_loading();
  void become_ready(ModelConfig config, tensor::ModelDescription description,
                    std::unique_ptr<schedule::Scheduler> scheduler, VersionCost cost = {});
  void fail(const base::Status& reason);
  // Says that no new handles are lent; who has one can use it as before. Does nothing to a version
  // that isn't ready.
  void retire();
  // As retire(); and returns when what is queued and running is done, after which nothing is taken
  // any more. Does nothing to a version that never was ready.
  void drain();

  // Valid (and unchanged) once ready, for as long as the version lives.
  const ModelConfig& config() const { return config_; }
  const tensor::ModelDescription& description() const { return description_; }
  // Whether all outputs of the configuration, in its order, are all of the engine's: a request for
  // them need not name them.
  bool has_engine_outputs() const { return has_engine_outputs_; }
  std::chrono::nanoseconds load_duration() const { return cost_.load_duration; }
  uint64_t memory_bytes() const { return cost_.memory_bytes; }
  schedule::Scheduler& scheduler() { return *scheduler_; }

  // Shared by all that bore this name and number.
  Statistics& statistics() const { return *statistics_; }
  // Null until it has been computed, which begins when the version is ready.
  std::shared_ptr<const Manifest> manifest() const;
  void set_manifest(Manifest manifest);
  // Where it was placed, or what kept it from being so. Null before that is known.
  std::shared_ptr<const PlacementReport> placement() const;
  void set_placement(PlacementReport report);
  // Something that must stay while the version lives, such as files of its own.
  void keep(std::shared_ptr<const void> what) { kept_ = std::move(what); }

 private:
  const std::string name_;
  const int64_t version_;
  const std::string path_;
  const std::shared_ptr<Statistics> statistics_;
  std::shared_ptr<const void> kept_;  // outlives the session
  std::atomic<VersionState> state_ = VersionState::kNew;
  mutable std::mutex mutex_;  // guards failure_, manifest_ and placement_
  std::string failure_;
  std::shared_ptr<const Manifest> manifest_;
  std::shared_ptr<const PlacementReport> placement_;
  ModelConfig config_;
  tensor::ModelDescription description_;
  VersionCost cost_;
  bool has_engine_outputs_ = false;
  std::unique_ptr<schedule::Scheduler> scheduler_;
};

// A loan of a ready version: it stays usable while the handle lives, whatever happens to the model.
using VersionHandle = std::shared_ptr<ModelVersion>;

}  // namespace supernova::model
