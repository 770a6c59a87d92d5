// Google's Edge TPU: USB (1a6e:089a until a runtime has given it its firmware, 18d1:9302 from then
// on), PCIe (1ac1:089a with the driver apex), and /dev/apex_N where no bus is to be seen.
#include <algorithm>
#include <cstdio>
#include <set>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::edgetpu {

Probe make_probe();

namespace {

constexpr std::string_view kUsbPass =
    "-v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule 'c 189:* rmw' (all of USB: the device "
    "comes back under another number when it gets its firmware)";
constexpr uint32_t kSuperSpeed = 5000;
// The chip's driver throttles below; above it stops.
constexpr uint64_t kHotMillidegrees = 100'000;

void need_runtime(Diagnosis& diagnosis) {
  diagnosis.need_library({"libedgetpu.so.1"}, {},
                         "install libedgetpu1-std (Google's package archive for Coral, or "
                         "github.com/feranick/libedgetpu for current systems)");
}

Device look_at_usb(const std::string& root, const UsbDevice& usb) {
  Device device = device_at(SN_DEVICE_EDGETPU, usb);
  const bool has_firmware = usb.vendor == 0x18d1;
  device.model = "Google Coral Edge TPU (USB)";
  device.engine = "tflite";
  device.features.emplace_back(has_firmware ? "firmware-loaded" : "firmware-not-yet-loaded");
  if (usb.megabits > 0 && usb.megabits < kSuperSpeed) {
    device.health = base::str_cat("connected at ", usb.megabits,
                                  " Mbit/s, where it needs 5000: use a USB 3 port and cable");
  }
  Diagnosis diagnosis(root);
  diagnosis.need_node(usb.node, kUsbPass, "is udev running?");
  need_runtime(diagnosis);
  diagnosis.settle(device);
  return device;
}

// The number N of /dev/apex_N, by what the driver says of its card; "" = none.
std::string apex_of(const std::string& root, const std::string& slot) {
  for (const std::string& name : list_folder(root, "sys/class/apex")) {
    if (name.starts_with("apex_") &&
        link_name(root, "sys/class/apex/" + name + "/device") == slot) {
      return name;
    }
  }
  return "";
}

void read_condition(const std::string& root, const std::string& apex, Device& device) {
  const std::string folder = "sys/class/apex/" + apex;
  const std::string version = read_line(root, folder + "/driver_version");
  if (!version.empty()) device.driver_version = version;
  const std::string status = read_line(root, folder + "/status");
  const uint64_t temperature = read_number(root, folder + "/temp");
  if (!status.empty() && status != "ALIVE") {
    device.health = base::str_cat("its driver calls it ", printable(status),
                                  ": unload and load the modules apex and gasket, or restart");
  } else if (temperature >= kHotMillidegrees) {
    device.health =
        base::str_cat("too hot: ", temperature / 1000, " °C; it stops by itself: cool it");
  }
  if (!device.health.empty()) device.state = DeviceState::kUnhealthy;
}

void look_at_apex(const std::string& root, const std::string& apex, Device& device) {
  device.engine = "tflite";
  Diagnosis diagnosis(root);
  const bool driven = device.driver.empty() && !apex.empty();  // seen by its node only
  if (driven || diagnosis.need_driver(device, {"apex"},
                                      "install the driver (gasket-dkms; for current kernels "
                                      "github.com/feranick/gasket-driver) and 'modprobe apex'")) {
    const std::string node = "/dev/" + (apex.empty() ? std::string("apex_0") : apex);
    if (std::find(device.nodes.begin(), device.nodes.end(), node) == device.nodes.end()) {
      device.nodes.push_back(node);
    }
    diagnosis.need_node(node, "",
                        "is udev running? Else 'modprobe -r apex && modprobe apex', and see the "
                        "kernel's log");
  }
  need_runtime(diagnosis);
  if (!apex.empty()) read_condition(root, apex, device);
  diagnosis.settle(device);
}

void look(const System& system, std::vector<Device>& devices) {
  const std::string& root = system.root;
  std::set<std::string> seen;
  for (const PciDevice& pci : list_pci(root)) {
    if (pci.vendor != 0x1ac1 || pci.product != 0x089a) continue;
    Device device = device_at(root, SN_DEVICE_EDGETPU, pci);
    device.model = "Google Coral Edge TPU (PCIe)";
    const std::string apex = apex_of(root, pci.slot);
    seen.insert(apex);
    look_at_apex(root, apex, device);
    devices.push_back(std::move(device));
  }
  for (const std::string& name : list_folder(root, "dev")) {
    // Where PCI cards were found without their nodes' numbers, these are theirs.
    if (!name.starts_with("apex_") || seen.contains(name) || seen.contains("")) continue;
    Device device = made_device(SN_DEVICE_EDGETPU);
    device.model = "Google Coral Edge TPU (PCIe)";
    device.address = "/dev/" + printable(name);
    look_at_apex(root, name, device);
    devices.push_back(std::move(device));
  }
  for (const UsbDevice& usb : list_usb(root)) {
    const bool is_it = (usb.vendor == 0x1a6e && usb.product == 0x089a) ||
                       (usb.vendor == 0x18d1 && usb.product == 0x9302);
    if (is_it) devices.push_back(look_at_usb(root, usb));
  }
}

}  // namespace

Probe make_probe() { return {"edgetpu", SN_DEVICE_EDGETPU, &look, nullptr}; }

}  // namespace supernova::device::edgetpu
