#include "model/model_version.h"

namespace supernova::model {

std::string_view version_state_name(VersionState state) {
  switch (state) {
    case VersionState::kNew:
      return "new";
    case VersionState::kLoading:
      return "loading";
    case VersionState::kReady:
      return "ready";
    case VersionState::kDraining:
      return "draining";
    case VersionState::kGone:
      return "gone";
    case VersionState::kFailed:
      return "failed";
  }
  return "unknown";
}

VersionState ModelVersion::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

std::string ModelVersion::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

void ModelVersion::start_loading() {
  std::lock_guard lock(mutex_);
  SN_CHECK(state_ == VersionState::kNew);
  state_ = VersionState::kLoading;
}

void ModelVersion::become_ready(ModelConfig config, tensor::ModelDescription description,
                                std::unique_ptr<schedule::Scheduler> scheduler) {
  std::lock_guard lock(mutex_);
  SN_CHECK(state_ == VersionState::kLoading);
  config_ = std::move(config);
  description_ = std::move(description);
  scheduler_ = std::move(scheduler);
  state_ = VersionState::kReady;
}

void ModelVersion::fail(const base::Status& reason) {
  std::lock_guard lock(mutex_);
  SN_CHECK(state_ == VersionState::kLoading);
  failure_ = std::string(reason.message());
  state_ = VersionState::kFailed;
}

void ModelVersion::drain() {
  {
    std::lock_guard lock(mutex_);
    if (state_ != VersionState::kReady) return;
    state_ = VersionState::kDraining;
  }
  scheduler_->stop();
  std::lock_guard lock(mutex_);
  state_ = VersionState::kGone;
}

}  // namespace supernova::model
