// What hardware is here: for each device its identity, state, and which engine would drive it or
// what is missing. A folder per kind; each probe reads a system tree (/proc, /sys, /dev) below a
// root that tests can replace by a recorded one, and where there is one asks the vendor's library,
// in a process of its own. Probes are stateless and thread-safe, and never fail: what can't be read
// is left empty, what does not come back is reported.
#pragma once

#include <supernova/engine.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace supernova::device {

enum class DeviceState {
  kUsable,       // an engine that is here drives it
  kUnusable,     // `missing` says what is missing and how to get it
  kUnhealthy,    // it is there and reports a fault, which `health` names
  kNotAnswering  // its probe or its vendor's library did not come back: `health`
};
// "usable", "unusable", "unhealthy", "not-answering".
std::string_view device_state_name(DeviceState state);

// The name of a kind, "cpu", "nvidia", "amd", "intel-gpu", "npu", "vulkan", "opencl", "edgetpu",
// "vpu", "fpga", "neuron".
std::string_view device_kind_name(sn_device_kind kind);

struct Device {
  std::string id;    // as --device takes it: "cpu", "nvidia:0"; the kind's name and `ordinal`
  std::string kind;  // device_kind_name
  sn_device_kind abi_kind = SN_DEVICE_CPU;
  int ordinal = 0;         // among the devices of its kind, in the order of `address`
  std::string model;       // as the hardware names itself, "" = not said
  std::string address;     // where it is: "pci:0000:01:00.0", "usb:2-1", "/dev/apex_0"; "" = none
  std::string uuid;        // its own lasting identity, "" = none
  uint32_t vendor_id = 0;  // PCI or USB ids, 0 = not known
  uint32_t product_id = 0;
  std::string driver;  // that is bound to it, "" = none
  std::string driver_version;
  DeviceState state = DeviceState::kUsable;
  std::string engine;              // that drives it, or would if nothing were missing; "" = none
  std::string missing;             // what is missing and how to get it, when unusable
  std::string no_engine;           // the end of `missing`: why no engine drives it; "" = one does
  std::string health;              // "" = nothing known against it
  std::vector<std::string> nodes;  // files below /dev, or to come
  uint64_t memory_bytes = 0;       // total, that this process may use; 0 = not known
  uint64_t memory_free_bytes = 0;  // 0 = not known
  int cores = 0;                   // CPU: logical cores of the machine
  double cores_usable = 0;         // CPU: after affinity and cgroup quota
  std::vector<std::string> features;  // instruction sets, compute capability, gfx target; sorted
  int numa_nodes = 0;                 // CPU: of the machine
  int numa_node = -1;                 // that the device is attached to; -1 = not known
};

struct DiscoverOptions {
  // Of each vendor's library. All are asked at once, and discover() returns within two seconds
  // more.
  std::chrono::milliseconds time_limit{5000};
  // argv of the program that asks them, to which the probe's name is added; empty: this program,
  // where its main can (library_child.h), else they are not asked.
  std::vector<std::string> library_command;
};

// Devices of every kind found below `sysroot` ("/" = this machine; only there is this process' own
// affinity asked for, and are the vendors' libraries). Sorted by kind and address. A piece of
// hardware is there once for its vendor, and again for Vulkan and OpenCL where they reach it, with
// the same address.
std::vector<Device> discover(const std::string& sysroot, const DiscoverOptions& options = {});

// Ids of the other devices that are the same piece of hardware.
std::vector<std::string> same_hardware(const std::vector<Device>& devices, const Device& device);
// Whether it is made of software that runs on the CPU (Vulkan and OpenCL drivers of that kind).
bool is_emulated(const Device& device);

// JSON object with every member, whatever is known: null stands for what isn't.
std::string device_json(const std::vector<Device>& devices, const Device& device);
// {"devices": [...]}
std::string devices_json(const std::vector<Device>& devices);

// As the engine ABI names it; refers to `device`.
sn_device to_abi(const Device& device);

}  // namespace supernova::device
