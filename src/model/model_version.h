// One version of one model: a state machine new -> loading -> ready -> draining -> gone, or failed
// with a reason. ModelManager drives the transitions; everybody else reads. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "model/model_config.h"
#include "model/statistics.h"
#include "schedule/scheduler.h"
#include "tensor/artefact.h"

namespace supernova::model {

enum class VersionState { kNew, kLoading, kReady, kDraining, kGone, kFailed };
std::string_view version_state_name(VersionState state);

class ModelVersion {
 public:
  ModelVersion(std::string name, int64_t version, std::string path)
      : name_(std::move(name)), version_(version), path_(std::move(path)) {}

  const std::string& name() const { return name_; }
  int64_t version() const { return version_; }
  const std::string& path() const { return path_; }

  VersionState state() const;
  std::string failure() const;  // the reason; "" unless failed

  // Transitions; each is an SN_CHECK on the state it starts from.
  void start_loading();
  void become_ready(ModelConfig config, tensor::ModelDescription description,
                    std::unique_ptr<schedule::Scheduler> scheduler);
  void fail(const base::Status& reason);
  // No new handles from now on; returns when what is queued and running is done, and its session
  // stays open until the last handle is gone. Does nothing to a version that isn't ready.
  void drain();

  // Valid (and unchanged) once ready, for as long as the version lives.
  const ModelConfig& config() const { return config_; }
  const tensor::ModelDescription& description() const { return description_; }
  // Shared by all that bore this name and number.
  Statistics& statistics() const { return *statistics_; }
  schedule::Scheduler& scheduler() { return *scheduler_; }

 private:
  const std::string name_;
  const int64_t version_;
  const std::string path_;
  const std::shared_ptr<Statistics> statistics_ = std::make_shared<Statistics>();
  mutable std::mutex mutex_;
  VersionState state_ = VersionState::kNew;
  std::string failure_;
  ModelConfig config_;
  tensor::ModelDescription description_;
  std::unique_ptr<schedule::Scheduler> scheduler_;
};

// A loan of a ready version: it stays usable while the handle lives, whatever happens to the model.
using VersionHandle = std::shared_ptr<ModelVersion>;

}  // namespace supernova::model
