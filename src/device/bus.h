// What sits on the buses of a system tree. Stateless and thread-safe; what can't be read is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "device/device.h"

namespace supernova::device {

struct PciDevice {
  std::string slot;  // "0000:01:00.0"
  std::string path;  // "sys/bus/pci/devices/0000:01:00.0"
  uint32_t vendor = 0;
  uint32_t product = 0;
  uint32_t base_class = 0;  // 0x03 display, 0x12 accelerator
  std::string driver;       // bound to it, "" = none
  int numa_node = -1;

  // Cards and render nodes, and accelerators: "/dev/dri/renderD128", "/dev/accel/accel0".
  std::vector<std::string> nodes(const std::string& sysroot) const;
};

inline constexpr uint32_t kPciDisplay = 0x03;
inline constexpr uint32_t kPciAccelerator = 0x12;

// In the order of their slots.
std::vector<PciDevice> list_pci(const std::string& sysroot);
// What the system's pci.ids calls a device, "" where there is no such file.
std::string pci_name(const std::string& sysroot, uint32_t vendor, uint32_t product);

struct UsbDevice {
  std::string port;  // "2-1.4": the way through hubs, the same after unplugging and plugging in
  std::string path;
  uint32_t vendor = 0;
  uint32_t product = 0;
  std::string product_name;
  std::string serial;
  uint32_t megabits = 0;  // of its connection
  std::string node;       // "/dev/bus/usb/002/005", another one each time it is plugged in
};

std::vector<UsbDevice> list_usb(const std::string& sysroot);

// A device of `kind` with what its place on the bus tells.
Device device_at(const std::string& sysroot, sn_device_kind kind, const PciDevice& at);
Device device_at(sn_device_kind kind, const UsbDevice& at);
Device made_device(sn_device_kind kind);

// Whether the board's device tree says that it is compatible with something that begins so.
bool board_compatible(const std::string& sysroot, std::string_view prefix);
// The board's own name, "" = not said.
std::string board_model(const std::string& sysroot);
// The version that a kernel module says of itself, "" = none.
std::string module_version(const std::string& sysroot, const std::string& module);

}  // namespace supernova::device
