// The devices of this machine as a snapshot that many share: looked for when it is first asked for,
// because probes take time that a server on the CPU need not spend, and anew after forget().
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "device/device.h"

namespace supernova::device {

using Devices = std::vector<Device>;

class DeviceList {
 public:
  using Look = std::function<Devices()>;

  DeviceList();  // discover("/")
  // For tests, and for devices that somebody has completed (which engine drives them).
  explicit DeviceList(Look look) : look_(std::move(look)) {}

  std::shared_ptr<const Devices> get();
  // What came or went since shows in the next get(); snapshots already lent stay as they are.
  void forget();

 private:
  const Look look_;
  std::mutex mutex_;
  std::shared_ptr<const Devices> devices_;
};

// The CPU, without a look at the machine.
Device plain_cpu();

}  // namespace supernova::device
