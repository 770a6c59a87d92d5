// What hardware is here: for each device its identity, state, and which engine would drive it or
// what is missing. A folder per kind; each probe reads a system tree (/proc, /sys) below a root
// that tests can replace by a recorded one. Probes are stateless and thread-safe, and never fail:
// what can't be read is left empty.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace supernova::device {

enum class DeviceState { kUsable, kUnusable };

struct Device {
  std::string id;     // as --device takes it: "cpu"
  std::string kind;   // "cpu"
  std::string model;  // as the hardware names itself, "" = not said
  DeviceState state = DeviceState::kUsable;
  std::string engine;                 // that would drive it, "" = none
  std::string missing;                // what is missing and how to get it, when unusable
  uint64_t memory_bytes = 0;          // total, that this process may use; 0 = not known
  int cores = 0;                      // CPU: logical cores of the machine
  double cores_usable = 0;            // CPU: after affinity and cgroup quota
  std::vector<std::string> features;  // instruction sets, sorted
  int numa_nodes = 0;
};

// Devices of every kind found below `sysroot` ("/" = this machine; only there is this process' own
// affinity asked for).
std::vector<Device> discover(const std::string& sysroot);

}  // namespace supernova::device
