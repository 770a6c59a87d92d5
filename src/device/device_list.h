// The devices of this machine as a snapshot that many share: looked for when it is first asked for,
// because probes take time that a server on the CPU need not spend. Thread-safe.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "device/device.h"

namespace supernova::device {

using Devices = std::vector<Device>;

class DeviceList {
 public:
  using Snapshot = std::shared_ptr<const Devices>;
  using Look = std::function<Devices()>;
  using Done = absl::AnyInvocable<void(const Snapshot&)>;

  DeviceList();  // discover("/")
  // `look` may take seconds; it is called on a thread of its own, one call at a time. For those who
  // don't wait, what it finds is good for `lasts`.
  explicit DeviceList(Look look, std::chrono::milliseconds lasts = std::chrono::hours(1));
  // Waits for a look in progress.
  ~DeviceList();

  // What was found last, however old; waits for a look where there is none.
  Snapshot get();
  // Calls `done` once, on this thread or another, with what was last found where that is still
  // good, else with what is found now. `anew`: with a look that begins after this call.
  void get(bool anew, Done done);
  // What came or went since shows in the next get(); snapshots already lent stay as they are.
  void forget();

 private:
  void work();

  const Look look_;
  const std::chrono::milliseconds lasts_;
  std::mutex mutex_;
  Snapshot last_;
  std::chrono::steady_clock::time_point looked_at_;  // when that look began
  bool working_ = false;
  bool stopping_ = false;
  std::vector<Done> waiting_;  // for the next look
  std::thread worker_;
};

// The CPU, without a look at the machine.
Device plain_cpu();

}  // namespace supernova::device
