#include "device/vulkan/choose.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "device/kinds.h"
#include "device/record.h"

namespace supernova::device::vulkan {
namespace {

constexpr std::string_view kPci = "pci:";

// Who sets one of these knows which device it is to be.
constexpr const char* kChoices[] = {
    "VK_DRIVER_FILES=", "VK_ICD_FILENAMES=", "VK_LOADER_DEVICE_ID_FILTER=",
    "MESA_VK_DEVICE_SELECT=", "DRI_PRIME="};

std::string_view id_of(const sn_device& device) { return device.id != nullptr ? device.id : ""; }

std::string hex(uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof(text), "%x", number);
  return text;
}

bool is_it(const sn_device& device, const Record& record) {
  const std::string_view id = id_of(device);
  const std::string slot = text_in(record, "slot");
  if (id.starts_with(kPci) && !slot.empty()) return id.substr(kPci.size()) == slot;
  // Without a slot a device is known by its UUID, which has no colon; "vulkan:1" has.
  const std::string uuid = text_in(record, "uuid");
  if (!uuid.empty() && !id.empty() && id.find(':') == std::string_view::npos) return id == uuid;
  return device.vendor_id == number_in(record, "vendor") &&
         device.product_id == number_in(record, "device");
}

}  // namespace

std::string environment_for(const sn_device& device, std::string environment) {
  if (!is_graphics(device.kind) || device.vendor_id == 0) return environment;
  const std::string lines = base::str_cat("\n", environment);
  for (const char* choice : kChoices) {
    if (lines.find(base::str_cat("\n", choice)) != std::string::npos) return environment;
  }
  if (!environment.empty()) environment += '\n';
  environment += base::str_cat("VK_LOADER_VENDOR_ID_FILTER=0x", hex(device.vendor_id), "\n",
                               "VK_LOADER_DEVICE_ID_FILTER=0x", hex(device.product_id), "\n");
  if (id_of(device).starts_with(kPci)) {
    // Cards of one make differ by their slots, "pci-0000_17_00_0".
    std::string slot(id_of(device).substr(kPci.size()));
    std::replace_if(
        slot.begin(), slot.end(), [](char c) { return c == ':' || c == '.'; }, '_');
    environment += base::str_cat("DRI_PRIME=pci-", slot, "\n");
  } else {
    environment += base::str_cat("MESA_VK_DEVICE_SELECT=", hex(device.vendor_id), ":",
                                 hex(device.product_id), "\n");
  }
  return environment + "MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE=1";
}

std::string why_not_alone(const sn_device& device, const std::vector<Record>& listed) {
  if (listed.empty() || device.vendor_id == 0) return "";
  std::vector<std::string> names;
  for (const Record& record : listed) names.push_back(text_in(record, "name"));
  const bool is_listed = std::any_of(listed.begin(), listed.end(),
                                     [&](const Record& record) { return is_it(device, record); });
  if (is_listed && listed.size() == 1) return "";
  constexpr std::string_view kByHand =
      "name the file of its driver alone in VK_DRIVER_FILES, in the option worker.environment";
  return base::str_cat(
      "Vulkan lists ", base::str_join(names, ", "), " in this process",
      is_listed ? ", and WebGPU can't be told which of them to take. Run the engine in a worker, "
                  "whose environment chooses (with Vulkan's loader 1.4.326 or later, or Mesa's "
                  "device-select layer), or "
                : ", but not this device: ",
      kByHand);
}

}  // namespace supernova::device::vulkan
