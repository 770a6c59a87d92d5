#include "model/model_version.h"

#include <algorithm>

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

std::string ModelVersion::failure() const {
  std::lock_guard lock(mutex_);
  return failure_;
}

base::Status ModelVersion::health() const {
  if (state() != VersionState::kReady || scheduler_ == nullptr) return {};
  return scheduler_->session().health();
}

void ModelVersion::start_loading() {
  VersionState expected = VersionState::kNew;
  SN_CHECK(state_.compare_exchange_strong(expected, VersionState::kLoading));
}

void ModelVersion::become_ready(ModelConfig config, tensor::ModelDescription description,
                                std::unique_ptr<schedule::Scheduler> scheduler, VersionCost cost) {
  SN_CHECK(state() == VersionState::kLoading);
  config_ = std::move(config);
  description_ = std::move(description);
  scheduler_ = std::move(scheduler);
  cost_ = cost;
  if (scheduler_ != nullptr) {
    const auto& engine = scheduler_->session().signature().outputs;
    has_engine_outputs_ =
        std::equal(engine.begin(), engine.end(), config_.outputs.begin(), config_.outputs.end(),
                   [](const auto& one, const auto& other) { return one.name == other.name; });
  }
  state_.store(VersionState::kReady, std::memory_order_release);
}

void ModelVersion::fail(const base::Status& reason) {
  SN_CHECK(state() == VersionState::kLoading);
  {
    std::lock_guard lock(mutex_);
    failure_ = std::string(base::message(reason));
  }
  state_.store(VersionState::kFailed, std::memory_order_release);
}

void ModelVersion::retire() {
  VersionState expected = VersionState::kReady;
  state_.compare_exchange_strong(expected, VersionState::kDraining);
}

void ModelVersion::drain() {
  retire();
  if (state() != VersionState::kDraining) return;
  scheduler_->stop();
  state_.store(VersionState::kGone, std::memory_order_release);
}

std::shared_ptr<const Manifest> ModelVersion::manifest() const {
  std::lock_guard lock(mutex_);
  return manifest_;
}

void ModelVersion::set_manifest(Manifest manifest) {
  auto made = std::make_shared<const Manifest>(std::move(manifest));
  std::lock_guard lock(mutex_);
  manifest_ = std::move(made);
}

std::shared_ptr<const PlacementReport> ModelVersion::placement() const {
  std::lock_guard lock(mutex_);
  return placement_;
}

void ModelVersion::set_placement(PlacementReport report) {
  auto made = std::make_shared<const PlacementReport>(std::move(report));
  std::lock_guard lock(mutex_);
  placement_ = std::move(made);
}

}  // namespace supernova::model
