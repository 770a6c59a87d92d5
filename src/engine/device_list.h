// Devices together with what the engines say of them. Thread-safe.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "device/device.h"
#include "engine/catalogue.h"

namespace supernova::engine {

// Asks the engines whether they drive the devices of this machine: a device gets the engine that
// does, its own first, or is made unusable with that engine's reason. What a probe found missing
// stays.
void ask_engines(Catalogue& engines, std::vector<device::Device>& devices);

// The devices of this machine, as they were when somebody last looked.
class DeviceList {
 public:
  using Devices = std::shared_ptr<const std::vector<device::Device>>;
  using Look = std::function<std::vector<device::Device>()>;
  using Done = absl::AnyInvocable<void(const Devices&)>;

  // `look` may take seconds; it is called on a thread of its own, one call at a time. What it finds
  // is good for `lasts`.
  DeviceList(Look look, std::chrono::milliseconds lasts);
  // Waits for a look in progress.
  ~DeviceList();

  // Calls `done` once, on this thread or another, with what was last found where that is still
  // good, else with what is found now. `anew`: with a look that begins after this call.
  void get(bool anew, Done done);

 private:
  void work();

  const Look look_;
  const std::chrono::milliseconds lasts_;
  std::mutex mutex_;
  Devices last_;
  std::chrono::steady_clock::time_point looked_at_;  // when that look began
  bool working_ = false;
  bool stopping_ = false;
  std::vector<Done> waiting_;  // for the next look
  std::thread worker_;
};

}  // namespace supernova::engine
