// Which engine runs which form of a model, on which devices and how often, and why not the others.
// A pure function of snapshots: nothing is opened, asked or measured here. One version of a model
// has one engine and one form; its instances may be on several devices.
//
// - An engine that is named is used, or the reason why not is the answer. So is a device.
// - Nothing named: the CPU. Where nothing runs the model there, the best of the other devices, so
//   that a model made for one accelerator goes to it.
// - "auto" (and KIND_AUTO): the best usable device that runs all of the model, the CPU included.
//   Emulated devices, which only a name reaches, are not among them.
// - Better is: all of the model on the device; then what has been measured to be faster here; then
//   the higher score; then another device than the CPU; then the earlier engine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "device/device.h"
#include "engine/engine.h"

namespace supernova::engine {

// The device wish for the best one.
inline constexpr char kAnyDevice[] = "auto";
// The parameter that lets a model configured for a GPU run on the CPU where there is none.
inline constexpr char kCpuFallbackParameter[] = "allow_cpu_fallback";

// A form of the model that engines may open.
struct Offer {
  std::string format;      // "onnx", "tflite"
  bool is_source = false;  // the file as it came
  base::Status problem;    // why there is no such form
};

// What an engine says of one offer on one device.
struct Candidate {
  std::string engine;
  size_t offer = 0;
  std::string device;  // Device::id
  Verdict verdict;
  uint64_t measured_ns = 0;  // what a run took here before; 0 = not known
};

struct Rejection {
  std::string engine;  // "" = of a device or a form, whatever the engine
  std::string format;
  std::string device;  // "" = on any
  std::string reason;
};

// A group of instances that is wished for; `count` of them on each of its devices.
struct InstanceWish {
  enum class Kind { kDefault, kAuto, kCpu, kGpu, kModel };
  std::string name;
  Kind kind = Kind::kDefault;
  int count = 0;             // 0 = not said
  std::vector<int> gpus;     // numbers among graphics_devices(); empty = all of them
  bool cpu_instead = false;  // kGpu: the CPU will do where there is no GPU
};

struct Wishes {
  std::string engine;  // "" = none
  std::string device;  // "" = none, "auto", or what device::select takes; before what groups say
  bool strict = false;
  std::vector<InstanceWish> groups;  // empty = one of kDefault
};

struct PlacementInput {
  Wishes wishes;
  std::vector<Offer> offers;
  std::vector<device::Device> devices;  // the CPU among them
  std::vector<std::string> engines;     // names of all there are
  std::vector<Candidate> candidates;
  std::vector<Rejection> rejections;  // what was ruled out before, such as engines that don't open
  uint64_t memory_budget = 0;         // bytes of host memory that models may take; 0 = no limit
};

struct PlacedInstance {
  std::string group;
  std::string device;
  int count = 0;        // runs that may overlap there; 0 = not said
  Verdict verdict;      // before it was opened
  bool chosen = false;  // among several (auto): only if it runs all of the model
};

struct Placement {
  base::Status status;  // OK, or why there is none; then only what was rejected is filled
  std::string engine;
  size_t offer = 0;
  std::string reason;                     // why this engine and these devices
  std::vector<PlacedInstance> instances;  // at least one
  std::vector<Rejection> rejected;
  std::vector<std::string> warnings;
};

Placement place(const PlacementInput& input);

// The devices whose candidates place() looks at first: ids, without those that can't be used. Where
// that gives no placement and `further` is set, all devices are to be asked.
struct DevicesToAsk {
  std::vector<std::string> ids;
  bool further = false;
};
DevicesToAsk devices_to_ask(const Wishes& wishes, const std::vector<device::Device>& devices);
// Whether the CPU is the first and perhaps the only one to ask, so that the machine need not be
// looked at yet.
bool wants_cpu_only(const Wishes& wishes);

// What KIND_GPU and its numbers mean: the devices of the first kind of NVIDIA, AMD, Intel and other
// Vulkan devices of which one can be used, or else of which there is one. Emulated ones are none.
std::vector<const device::Device*> graphics_devices(const std::vector<device::Device>& devices);

// The nodes that do not run on the device asked for: those for which the engine says why, and on
// another device than the CPU those that run on the CPU.
std::vector<NodePlacement> fallen_back(const Verdict& verdict, sn_device_kind device);
// "3 nodes: NonZero x2 (no kernel), Loop (control flow)"; operators with one reason count together.
std::string nodes_text(const std::vector<NodePlacement>& nodes);

}  // namespace supernova::engine
