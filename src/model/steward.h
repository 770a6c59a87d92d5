// The thread on which versions end. Whoever lets go of the last handle, an I/O thread say, only
// hands the version over: here its queue and session are closed, and the memory goes back to the
// system. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "model/model_version.h"

namespace supernova::model {

class Steward {
 public:
  using Clock = std::chrono::steady_clock;

  Steward();
  ~Steward();  // stops
  Steward(const Steward&) = delete;
  Steward& operator=(const Steward&) = delete;

  // The handle that all others are copies of. It may outlive the steward; the version then ends
  // where the last handle does.
  VersionHandle own(std::unique_ptr<ModelVersion> version);
  // Calls `then` on the steward's thread once that version is closed and its memory is back, or at
  // `deadline`, or when the steward stops.
  void when_closed(const ModelVersion* version, Clock::time_point deadline,
                   std::function<void()> then);
  // Closes what has been let go of and ends the thread.
  void stop();

 private:
  struct Core;
  std::shared_ptr<Core> core_;
  std::thread thread_;
};

}  // namespace supernova::model
