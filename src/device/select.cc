#include "device/select.h"

#include <algorithm>

#include "base/text.h"
#include "device/kinds.h"

namespace supernova::device {
namespace {

bool names(const Device& device, std::string_view name) {
  return device.id == name || device.kind == name ||
         (name == "gpu" && is_graphics(device.abi_kind) && !is_emulated(device)) ||
         (!device.address.empty() && device.address == name) ||
         (!device.uuid.empty() && device.uuid == name);
}

// Whether all are one piece of hardware, reached in several ways.
bool are_one(const std::vector<const Device*>& devices) {
  for (const Device* device : devices) {
    if (device->address.empty() || device->address != devices.front()->address) return false;
  }
  return !devices.empty();
}

std::string ids(const std::vector<const Device*>& devices) {
  std::vector<std::string> texts;
  for (const Device* device : devices) {
    const std::string_view emulated = is_emulated(*device) ? ", emulated" : "";
    texts.push_back(device->model.empty()
                        ? device->id
                        : base::str_cat(device->id, " (", device->model, emulated, ")"));
  }
  return base::str_join(texts, ", ");
}

}  // namespace

base::Result<const Device*> select(const std::vector<Device>& devices, std::string_view name) {
  std::vector<const Device*> all;
  std::vector<const Device*> found;
  for (const Device& device : devices) {
    all.push_back(&device);
    if (device.id == name) found = {&device};
    if (found.size() == 1 && found.front()->id == name) continue;
    if (names(device, name)) found.push_back(&device);
  }
  if (found.empty()) {
    return absl::NotFoundError(
        base::str_cat("no device '", name, "' here; there is: ", ids(all), " (supernova devices)"));
  }
  if (found.size() > 1 && are_one(found)) {
    const auto usable = std::find_if(found.begin(), found.end(), [](const Device* device) {
      return device->state == DeviceState::kUsable;
    });
    found = {usable != found.end() ? *usable : found.front()};
  }
  if (found.size() > 1) {
    return absl::InvalidArgumentError(base::str_cat("the device '", name, "' could be any of ",
                                                    ids(found), "; name one of them"));
  }
  const Device& device = *found.front();
  if (device.state != DeviceState::kUsable) {
    return absl::FailedPreconditionError(
        base::str_cat("the device ", device.id, " can't be used: ",
                      !device.missing.empty()  ? device.missing
                      : !device.health.empty() ? device.health
                                               : std::string("its probe does not answer")));
  }
  return &device;
}

}  // namespace supernova::device
