// Where the groups of instances that are wished for may go. For placement.cc; pure.
#pragma once

#include <string>
#include <vector>

#include "engine/placement.h"

namespace supernova::engine {

// Where a group may go: to each of `all`, or to the best of `any`.
struct Target {
  const InstanceWish* wish = nullptr;
  std::vector<const device::Device*> all;
  std::vector<const device::Device*> any;
  // Would be among them if nothing were missing.
  std::vector<const device::Device*> out_of_order;
  const device::Device* instead = nullptr;  // where `all` can't be had
  std::string problem;                      // why `all` can't be had, whatever the engine
  bool cpu_first = false;                   // any: the CPU if the model runs there at all
  bool wholly = false;                      // any: another device only if it runs all of the model
  std::string why;
};

inline bool is_cpu(const device::Device& device) { return device.abi_kind == SN_DEVICE_CPU; }

std::string ids_of(const std::vector<const device::Device*>& devices);  // "cpu, nvidia:0"

// One for each group; an error is one that no engine could mend. The pointers are into `wishes` and
// `devices`, or to a CPU that lives for ever where there is none among them.
base::Result<std::vector<Target>> resolve_targets(const Wishes& wishes,
                                                  const std::vector<device::Device>& devices,
                                                  std::vector<std::string>& warnings);

}  // namespace supernova::engine
