// Intel's and Altera's FPGAs: cards with the Device Feature List (driver dfl-pci; its PCI ids are
// those of the kernel's drivers/fpga), cards under Altera's own vendor id, and SoC boards.
#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::altera {

Probe make_probe();

namespace {

// Physical functions; virtual ones belong to guests.
constexpr uint32_t kDflProducts[] = {0xbcbd, 0xbcc0, 0x09c4, 0x0b30, 0x0b2b, 0xbcce, 0xaf00};

constexpr std::string_view kNoRuntime =
    "the runtime of Altera's FPGA AI Suite is not installed: it brings an OpenVINO of its own with "
    "a plug-in for the board, and needs a bitstream of its inference IP on it";

bool is_fpga(const PciDevice& pci) {
  if (pci.vendor == 0x1172) return true;
  const bool known = std::find(std::begin(kDflProducts), std::end(kDflProducts), pci.product) !=
                     std::end(kDflProducts);
  return pci.vendor == 0x8086 &&
         (pci.driver == "dfl-pci" || pci.driver == "intel-fpga-pci" || known);
}

void need_suite(const std::string& root, Diagnosis& diagnosis) {
  for (const char* name : {"libcoreDlaRuntimePlugin.so", "libcoreDLARuntimePlugin.so"}) {
    if (!find_library(root, name, {"opt/altera/fpga_ai_suite/runtime/lib"}).empty()) return;
  }
  diagnosis.add(std::string(kNoRuntime));
}

// Management and port of the regions below a PCI device: nodes, bitstream, errors.
void read_regions(const std::string& root, const PciDevice& pci, Device& device) {
  for (const std::string& region : list_folder(root, pci.path + "/fpga_region")) {
    const std::string folder = pci.path + "/fpga_region/" + region;
    for (const std::string& part : list_folder(root, folder)) {
      if (!part.starts_with("dfl-fme.") && !part.starts_with("dfl-port.")) continue;
      device.nodes.push_back("/dev/" + printable(part));
      const std::string bitstream = read_line(root, folder + "/" + part + "/bitstream_id");
      if (!bitstream.empty()) device.features.push_back("bitstream-" + bitstream);
      for (const char* kind : {"fme_errors", "errors"}) {
        const std::string errors = read_line(root, folder + "/" + part + "/errors/" + kind);
        if (!errors.empty() && parse_hex(errors) != 0) {
          device.health = base::str_cat("its ", printable(part), " reports errors ", errors);
          device.state = DeviceState::kUnhealthy;
        }
      }
    }
  }
}

Device look_at_card(const std::string& root, const PciDevice& pci) {
  Device device = device_at(root, SN_DEVICE_FPGA, pci);
  device.engine = "openvino";
  if (device.model.empty()) {
    device.model = pci.vendor == 0x1172 ? "Altera FPGA card" : "Intel FPGA card";
  }
  read_regions(root, pci, device);
  Diagnosis diagnosis(root);
  const bool has_dfl = pci.vendor == 0x8086;
  if (!has_dfl && device.driver.empty()) {
    diagnosis.add("no driver is bound to it: install the board support package of its maker");
  } else if (!has_dfl || diagnosis.need_driver(device, {"dfl-pci", "intel-fpga-pci"},
                                               "'modprobe dfl-pci' (kernel 5.4 or newer)")) {
    for (const std::string& node : device.nodes) {
      diagnosis.need_node(node, "", "'modprobe dfl-fme dfl-afu'");
    }
  }
  need_suite(root, diagnosis);
  diagnosis.settle(device);
  return device;
}

// Boards with FPGA and processor on one chip.
void look_for_board(const std::string& root, std::vector<Device>& devices) {
  if (!board_compatible(root, "altr,socfpga") && !board_compatible(root, "intel,socfpga")) return;
  Device device = made_device(SN_DEVICE_FPGA);
  device.model = board_model(root);
  device.vendor_id = 0x1172;
  device.engine = "openvino";
  device.address = "platform:socfpga";
  Diagnosis diagnosis(root);
  const std::vector<std::string> managers = list_folder(root, "sys/class/fpga_manager");
  if (managers.empty()) {
    diagnosis.add("the kernel has no FPGA manager: use an image with one");
  } else {
    device.driver = read_line(root, "sys/class/fpga_manager/" + managers.front() + "/name");
    const std::string state =
        read_line(root, "sys/class/fpga_manager/" + managers.front() + "/state");
    if (!state.empty()) device.features.push_back("fpga-" + state);
  }
  need_suite(root, diagnosis);
  diagnosis.settle(device);
  devices.push_back(std::move(device));
}

void look(const System& system, std::vector<Device>& devices) {
  for (const PciDevice& pci : list_pci(system.root)) {
    if (is_fpga(pci)) devices.push_back(look_at_card(system.root, pci));
  }
  look_for_board(system.root, devices);
}

}  // namespace

Probe make_probe() { return {"altera", SN_DEVICE_FPGA, &look, nullptr}; }

}  // namespace supernova::device::altera
