#include "engine/tflite/options.h"

#include <algorithm>

#include "engine/option_values.h"

namespace supernova::engine::tflite {
namespace {

constexpr char kDelegateLibrary[] = "delegate.library";
constexpr std::string_view kDelegateOption = "delegate.option.";
constexpr char kEdgeTpuLibrary[] = "libedgetpu.so.1";
constexpr uint32_t kPciVendor = 0x1ac1;
constexpr uint32_t kUsbVendors[] = {0x1a6e, 0x18d1};  // before and after its firmware is there

// As libedgetpu names devices: by bus and number, or by number alone.
std::string edge_tpu_name(const sn_device& device) {
  std::string_view bus;
  if (device.vendor_id == kPciVendor) bus = "pci";
  for (const uint32_t vendor : kUsbVendors) {
    if (device.vendor_id == vendor) bus = "usb";
  }
  return base::str_cat(bus, ":", std::max(device.ordinal, 0));
}

}  // namespace

base::Result<int> thread_count(const Options& options, int thread_budget) {
  SN_ASSIGN(const int threads, intra_op_threads(options, thread_budget));
  return std::max(threads, 1);
}

base::Result<DelegateChoice> delegate_choice(const sn_device& device, const Options& options) {
  DelegateChoice choice;
  const auto library = options.find(kDelegateLibrary);
  if (library != options.end() && !library->second.empty()) {
    choice.library = library->second;
    choice.where = choice.library.substr(choice.library.rfind('/') + 1);
  } else if (device.kind == SN_DEVICE_EDGETPU) {
    choice.library = kEdgeTpuLibrary;
    choice.edge_tpu = true;
  } else if (device.kind != SN_DEVICE_CPU) {
    return absl::FailedPreconditionError(base::str_cat(
        "it runs on the CPU, on an Edge TPU, and through the delegate that the option ",
        kDelegateLibrary, " names, not on a device of kind ", device.kind));
  }
  if (device.kind == SN_DEVICE_EDGETPU) choice.where = "EDGETPU";
  for (const auto& [key, value] : options) {
    if (!key.starts_with(kDelegateOption)) continue;
    if (choice.library.empty()) {
      return absl::InvalidArgumentError(base::str_cat(
          "the option ", key, " is for a delegate, but ", kDelegateLibrary, " names none"));
    }
    choice.options.emplace_back(key.substr(kDelegateOption.size()), value);
  }
  const bool names_device =
      std::any_of(choice.options.begin(), choice.options.end(),
                  [](const auto& option) { return option.first == "device"; });
  if (choice.edge_tpu && !names_device)
    choice.options.emplace_back("device", edge_tpu_name(device));
  return choice;
}

base::Result<bool> uses_xnnpack(const Options& options) {
  return flag_option(options, "xnnpack", true);
}

}  // namespace supernova::engine::tflite
