#include "device/bus.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "base/text.h"
#include "device/system_tree.h"

namespace supernova::device {
namespace {

// A NUMA node as the kernel writes it: -1 where there is none.
int read_numa_node(const std::string& sysroot, const std::string& path) {
  int node = 0;
  return base::parse_whole(std::string_view(read_line(sysroot, path)), node) ? node : -1;
}

std::string four_hex(uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof(text), "%04x", number);
  return text;
}

}  // namespace

std::vector<std::string> PciDevice::nodes(const std::string& sysroot) const {
  std::vector<std::string> nodes;
  for (const std::string& name : list_folder(sysroot, path + "/drm")) {
    if (name.starts_with("card") && name.find('-') != std::string::npos) continue;  // a connector
    if (name.starts_with("card") || name.starts_with("renderD"))
      nodes.push_back("/dev/dri/" + name);
  }
  for (const std::string& name : list_folder(sysroot, path + "/accel")) {
    if (name.starts_with("accel")) nodes.push_back("/dev/accel/" + name);
  }
  return nodes;
}

std::vector<PciDevice> list_pci(const std::string& sysroot) {
  std::vector<PciDevice> found;
  for (const std::string& slot : list_folder(sysroot, "sys/bus/pci/devices")) {
    PciDevice device;
    device.slot = printable(slot);
    device.path = "sys/bus/pci/devices/" + slot;
    device.vendor = static_cast<uint32_t>(read_number(sysroot, device.path + "/vendor"));
    device.product = static_cast<uint32_t>(read_number(sysroot, device.path + "/device"));
    if (device.vendor == 0) continue;
    device.base_class =
        static_cast<uint32_t>(read_number(sysroot, device.path + "/class") >> 16U) & 0xffU;
    device.driver = link_name(sysroot, device.path + "/driver");
    device.numa_node = read_numa_node(sysroot, device.path + "/numa_node");
    found.push_back(std::move(device));
  }
  std::sort(found.begin(), found.end(),
            [](const PciDevice& a, const PciDevice& b) { return a.slot < b.slot; });
  return found;
}

std::string pci_name(const std::string& sysroot, uint32_t vendor, uint32_t product) {
  const std::string vendor_line = four_hex(vendor) + "  ";
  const std::string product_line = "\t" + four_hex(product) + "  ";
  for (const char* path : {"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"}) {
    std::istringstream lines(read_system_file(sysroot, path));
    bool in_vendor = false;
    std::string line;
    while (std::getline(lines, line)) {
      if (line.starts_with(vendor_line)) {
        in_vendor = true;
      } else if (in_vendor && line.starts_with(product_line)) {
        return printable(trimmed(std::string_view(line).substr(product_line.size())));
      } else if (in_vendor && !line.starts_with("\t") && !line.starts_with("#")) {
        break;
      }
    }
  }
  return "";
}

std::vector<UsbDevice> list_usb(const std::string& sysroot) {
  std::vector<UsbDevice> found;
  for (const std::string& port : list_folder(sysroot, "sys/bus/usb/devices")) {
    UsbDevice device;
    device.port = printable(port);
    device.path = "sys/bus/usb/devices/" + port;
    device.vendor = static_cast<uint32_t>(parse_hex(read_line(sysroot, device.path + "/idVendor")));
    device.product =
        static_cast<uint32_t>(parse_hex(read_line(sysroot, device.path + "/idProduct")));
    if (device.vendor == 0) continue;  // an interface, or nothing
    device.product_name = read_line(sysroot, device.path + "/product");
    device.serial = read_line(sysroot, device.path + "/serial");
    device.megabits = static_cast<uint32_t>(read_number(sysroot, device.path + "/speed"));
    char node[48];
    std::snprintf(node, sizeof(node), "/dev/bus/usb/%03u/%03u",
                  static_cast<unsigned>(read_number(sysroot, device.path + "/busnum")),
                  static_cast<unsigned>(read_number(sysroot, device.path + "/devnum")));
    device.node = node;
    found.push_back(std::move(device));
  }
  return found;
}

Device made_device(sn_device_kind kind) {
  Device device;
  device.kind = device_kind_name(kind);
  device.abi_kind = kind;
  return device;
}

Device device_at(const std::string& sysroot, sn_device_kind kind, const PciDevice& at) {
  Device device = made_device(kind);
  device.address = "pci:" + at.slot;
  device.vendor_id = at.vendor;
  device.product_id = at.product;
  device.driver = at.driver;
  device.driver_version = module_version(sysroot, at.driver);
  device.nodes = at.nodes(sysroot);
  device.numa_node = at.numa_node;
  device.model = pci_name(sysroot, at.vendor, at.product);
  return device;
}

Device device_at(sn_device_kind kind, const UsbDevice& at) {
  Device device = made_device(kind);
  device.address = "usb:" + at.port;
  device.uuid = at.serial;
  device.vendor_id = at.vendor;
  device.product_id = at.product;
  device.nodes = {at.node};
  device.model = at.product_name;
  return device;
}

bool board_compatible(const std::string& sysroot, std::string_view prefix) {
  const std::string names = read_system_file(sysroot, "proc/device-tree/compatible");
  for (size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
    if (std::string_view(names).substr(at).starts_with(prefix)) return true;
    if (names.find('\0', at) == std::string::npos) break;
  }
  return false;
}

std::string board_model(const std::string& sysroot) {
  return read_line(sysroot, "proc/device-tree/model");
}

std::string module_version(const std::string& sysroot, const std::string& module) {
  return module.empty() ? "" : read_line(sysroot, "sys/module/" + module + "/version");
}

}  // namespace supernova::device
