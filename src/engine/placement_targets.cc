#include "engine/placement_targets.h"

#include <algorithm>
#include <set>

#include "device/device_list.h"
#include "device/select.h"

namespace supernova::engine {
namespace {

using device::Device;
using Kind = InstanceWish::Kind;

std::string_view kind_text(Kind kind) {
  return kind == Kind::kCpu ? "KIND_CPU" : kind == Kind::kGpu ? "KIND_GPU" : "KIND_AUTO";
}

// A device that is emulated is slower than the CPU that emulates it: it has to be named.
std::vector<const Device*> usable(const std::vector<Device>& devices) {
  std::vector<const Device*> found;
  for (const Device& device : devices) {
    const bool counts =
        device.state == device::DeviceState::kUsable && !device::is_emulated(device);
    if (counts) found.push_back(&device);
  }
  return found;
}

class Targets {
 public:
  Targets(const Wishes& wishes, const std::vector<Device>& devices)
      : wishes_(wishes), devices_(devices) {
    for (const Device& device : devices) {
      if (cpu_ == nullptr && is_cpu(device)) cpu_ = &device;
    }
    static const Device unseen = device::plain_cpu();
    if (cpu_ == nullptr) cpu_ = &unseen;
  }

  base::Result<std::vector<Target>> resolve(std::vector<std::string>& warnings) const {
    static const InstanceWish unsaid;
    std::vector<Target> targets;
    if (wishes_.groups.empty()) {
      SN_ASSIGN(targets.emplace_back(), resolve(unsaid, warnings));
    }
    for (const InstanceWish& wish : wishes_.groups) {
      SN_ASSIGN(targets.emplace_back(), resolve(wish, warnings));
    }
    return targets;
  }

 private:
  base::Result<Target> resolve(const InstanceWish& wish, std::vector<std::string>& warnings) const {
    Target target;
    target.wish = &wish;
    if (!wishes_.device.empty() && wishes_.device != kAnyDevice) {
      SN_ASSIGN(const Device* device, device::select(devices_, wishes_.device));
      target.all = {device};
      target.why = base::str_cat("the device ", device->id, " was asked for");
      const bool contradicts =
          wish.kind == Kind::kCpu ? !is_cpu(*device) : wish.kind == Kind::kGpu && is_cpu(*device);
      if (contradicts) {
        warnings.push_back(base::str_cat("instance_group '", wish.name, "' says ",
                                         kind_text(wish.kind), "; the device asked for, ",
                                         device->id, ", counts before it"));
      }
    } else if (wish.kind == Kind::kCpu) {
      target.all = {cpu_};
      target.why = "its instance_group says KIND_CPU";
    } else if (wish.kind == Kind::kGpu) {
      SN_TRY(resolve_gpus(wish, target));
    } else if (wish.kind == Kind::kAuto || wishes_.device == kAnyDevice) {
      resolve_any(wish, target);
    } else {
      target.any = usable(devices_);
      target.cpu_first = true;
      target.why = "no device was asked for";
    }
    return target;
  }

  base::Status resolve_gpus(const InstanceWish& wish, Target& target) const {
    const auto there = graphics_devices(devices_);
    target.why = "its instance_group says KIND_GPU";
    if (wish.cpu_instead) target.instead = cpu_;
    if (there.empty()) target.problem = "there is no GPU here";
    for (const int number : wish.gpus) {
      if (number >= 0 && static_cast<size_t>(number) < there.size()) {
        target.all.push_back(there[static_cast<size_t>(number)]);
      } else if (target.problem.empty()) {
        target.problem =
            base::str_cat("there is no GPU number ", number, "; there is: ", ids_of(there));
      }
    }
    if (wish.gpus.empty()) {
      for (const Device* gpu : there) {
        auto& list = gpu->state == device::DeviceState::kUsable ? target.all : target.out_of_order;
        list.push_back(gpu);
      }
      // So that the reason is that of a device, where none can be used.
      if (target.all.empty()) target.all = std::move(target.out_of_order);
    }
    for (const Device* gpu : target.all) {
      const auto selected = device::select(devices_, gpu->id);
      if (!selected.ok() && target.problem.empty()) {
        target.problem = std::string(base::message(selected.status()));
      }
    }
    if (target.problem.empty() || target.instead != nullptr) return {};
    return absl::FailedPreconditionError(
        base::str_cat("instance_group '", wish.name, "' asks for KIND_GPU, but ", target.problem,
                      "; write KIND_CPU, or the parameter '", kCpuFallbackParameter,
                      "' with \"true\" to accept the CPU instead"));
  }

  void resolve_any(const InstanceWish& wish, Target& target) const {
    target.any = usable(devices_);
    for (const Device& device : devices_) {
      // One that no engine would drive is no candidate.
      const bool might = !device.engine.empty() && !device::is_emulated(device);
      if (might && device.state != device::DeviceState::kUsable) {
        target.out_of_order.push_back(&device);
      }
    }
    target.wholly = true;
    target.why = wish.kind == Kind::kAuto ? "its instance_group leaves the device open (KIND_AUTO)"
                                          : "the best device was asked for (auto)";
    if (wish.gpus.empty()) return;
    const auto gpus = graphics_devices(devices_);
    const auto is_named = [&](const Device* device) {
      return is_cpu(*device) || std::any_of(wish.gpus.begin(), wish.gpus.end(), [&](int number) {
               return number >= 0 && static_cast<size_t>(number) < gpus.size() &&
                      gpus[static_cast<size_t>(number)] == device;
             });
    };
    std::erase_if(target.any, [&](const Device* device) { return !is_named(device); });
    std::erase_if(target.out_of_order, [&](const Device* device) { return !is_named(device); });
  }

  const Wishes& wishes_;
  const std::vector<Device>& devices_;
  const Device* cpu_ = nullptr;
};

}  // namespace

std::string ids_of(const std::vector<const Device*>& devices) {
  std::vector<std::string> ids;
  for (const Device* device : devices) ids.push_back(device->id);
  return base::str_join(ids, ", ");
}

base::Result<std::vector<Target>> resolve_targets(const Wishes& wishes,
                                                  const std::vector<Device>& devices,
                                                  std::vector<std::string>& warnings) {
  return Targets(wishes, devices).resolve(warnings);
}

bool wants_cpu_only(const Wishes& wishes) {
  if (wishes.device == "cpu") return true;
  return wishes.device.empty() &&
         std::all_of(wishes.groups.begin(), wishes.groups.end(), [](const InstanceWish& wish) {
           return wish.kind != Kind::kAuto && wish.kind != Kind::kGpu;
         });
}

DevicesToAsk devices_to_ask(const Wishes& wishes, const std::vector<Device>& devices) {
  DevicesToAsk ask;
  std::vector<std::string> warnings;
  const auto targets = resolve_targets(wishes, devices, warnings);
  if (!targets.ok()) return ask;
  std::set<std::string> ids;
  for (const Target& target : *targets) {
    if (target.instead != nullptr) ids.insert(target.instead->id);
    for (const Device* device : target.all) {
      if (device->state == device::DeviceState::kUsable) ids.insert(device->id);
    }
    for (const Device* device : target.any) {
      if (!target.cpu_first || is_cpu(*device)) ids.insert(device->id);
    }
    ask.further |= target.cpu_first;
  }
  ask.ids.assign(ids.begin(), ids.end());
  return ask;
}

std::vector<const Device*> graphics_devices(const std::vector<Device>& devices) {
  std::vector<const Device*> present;
  for (const sn_device_kind kind :
       {SN_DEVICE_NVIDIA, SN_DEVICE_AMD, SN_DEVICE_INTEL_GPU, SN_DEVICE_VULKAN}) {
    std::vector<const Device*> of_kind;
    bool any_usable = false;
    for (const Device& device : devices) {
      if (device.abi_kind != kind || device::is_emulated(device)) continue;
      of_kind.push_back(&device);
      any_usable |= device.state == device::DeviceState::kUsable;
    }
    if (any_usable) return of_kind;
    if (present.empty()) present = std::move(of_kind);
  }
  return present;
}

}  // namespace supernova::engine
