// AMD/Xilinx: cards with XRT's drivers (xocl for the user function, xclmgmt for management), Zynq
// and Versal boards (zocl), and the NPUs of Ryzen AI processors (amdxdna).
#include <algorithm>

#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::xilinx {

Probe make_probe();

namespace {

const std::vector<std::string> kXrtFolders{"opt/xilinx/xrt/lib", "opt/xilinx/xrt/lib64"};

constexpr std::string_view kXrt = "install XRT, the runtime of AMD's FPGAs (github.com/Xilinx/XRT)";
constexpr std::string_view kXrtOfNpus =
    "build and install XRT and its plug-in for NPUs (both: github.com/amd/xdna-driver)";

void need_runtime(Diagnosis& diagnosis, std::string_view how) {
  diagnosis.need_library({"libxrt_core.so.2", "libxrt_core.so"}, kXrtFolders, how);
}

// "BUILD_VERSION" of XRT's version.json.
std::string xrt_version(const std::string& root) {
  const std::string json = read_system_file(root, "opt/xilinx/xrt/version.json");
  constexpr std::string_view kKey = "\"BUILD_VERSION\"";
  size_t at = json.find(kKey);
  if (at == std::string::npos) return "";
  at = json.find('"', at + kKey.size());
  const size_t end = at == std::string::npos ? at : json.find('"', at + 1);
  return end == std::string::npos ? "" : printable(json.substr(at + 1, end - at - 1));
}

void need_all(const Device& device, Diagnosis& diagnosis) {
  for (const std::string& node : device.nodes) {
    if (node.find("/card") != std::string::npos || node.find("xclmgmt") != std::string::npos) {
      continue;  // for displays, and for who manages cards
    }
    diagnosis.need_node(node, "", "is udev running?");
  }
}

std::string card_of(const std::string& slot) { return slot.substr(0, slot.find('.')); }

// The functions of one card: the one that computes stands for it.
Device look_at_card(const std::string& root, const std::vector<const PciDevice*>& functions) {
  const auto user = std::find_if(functions.begin(), functions.end(),
                                 [](const PciDevice* pci) { return pci->driver == "xocl"; });
  const PciDevice& pci = user != functions.end() ? **user : *functions.back();
  Device device = device_at(root, SN_DEVICE_FPGA, pci);
  device.engine = "onnxruntime";
  if (device.model.empty()) device.model = "AMD/Xilinx FPGA card";
  if (device.driver_version.empty()) device.driver_version = xrt_version(root);
  for (const PciDevice* other : functions) {
    const std::string name = read_line(root, other->path + "/rom/VBNV");
    if (!name.empty()) device.features.push_back("shell-" + name);
    if (other->driver == "xclmgmt") device.features.emplace_back("xclmgmt");
  }
  for (const std::string& name : list_folder(root, "dev")) {
    if (name.starts_with("xclmgmt")) device.nodes.push_back("/dev/" + printable(name));
  }
  Diagnosis diagnosis(root);
  if (diagnosis.need_driver(device, {"xocl"},
                            "install XRT (xrt, with its drivers xocl and xclmgmt) and the card's "
                            "deployment platform")) {
    need_all(device, diagnosis);
  }
  need_runtime(diagnosis, kXrt);
  diagnosis.settle(device);
  return device;
}

// A board whose programmable logic is on the chip.
void look_for_board(const std::string& root, std::vector<Device>& devices) {
  if (!board_compatible(root, "xlnx,")) return;
  Device device = made_device(SN_DEVICE_FPGA);
  for (const std::string& name : list_folder(root, "sys/class/drm")) {
    const std::string driver = link_name(root, "sys/class/drm/" + name + "/device/driver");
    if (!name.starts_with("renderD") || !driver.starts_with("zocl")) continue;
    device.driver = "zocl";
    device.nodes.push_back("/dev/dri/" + name);
    device.address = "platform:" + link_name(root, "sys/class/drm/" + name + "/device");
  }
  device.model = board_model(root);
  device.vendor_id = 0x10ee;
  device.engine = "onnxruntime";
  device.driver_version = xrt_version(root);
  Diagnosis diagnosis(root);
  if (diagnosis.need_driver(device, {"zocl"},
                            "use an image with XRT (zocl in the device tree and the kernel)")) {
    need_all(device, diagnosis);
  }
  need_runtime(diagnosis, kXrt);
  diagnosis.settle(device);
  devices.push_back(std::move(device));
}

bool is_npu(const PciDevice& pci) {
  return pci.driver == "amdxdna" ||
         (pci.vendor == 0x1022 && (pci.product == 0x1502 || pci.product == 0x17f0));
}

Device look_at_npu(const std::string& root, const PciDevice& pci) {
  Device device = device_at(root, SN_DEVICE_NPU, pci);
  device.engine = "onnxruntime";
  device.model = pci.product == 0x1502 ? "AMD NPU (Ryzen AI, XDNA)" : "AMD NPU (Ryzen AI, XDNA 2)";
  const std::string name = read_line(root, pci.path + "/vbnv");
  if (!name.empty()) device.features.push_back("npu-" + name);
  Diagnosis diagnosis(root);
  if (diagnosis.need_driver(device, {"amdxdna"},
                            "'modprobe amdxdna' (kernel 6.14 or newer), or install AMD's "
                            "xdna-driver (github.com/amd/xdna-driver)")) {
    need_all(device, diagnosis);
  }
  need_runtime(diagnosis, kXrtOfNpus);
  diagnosis.settle(device);
  return device;
}

void look(const System& system, std::vector<Device>& devices) {
  const std::vector<PciDevice> all = list_pci(system.root);
  std::vector<const PciDevice*> card;
  const auto finish_card = [&] {
    if (!card.empty()) devices.push_back(look_at_card(system.root, card));
    card.clear();
  };
  for (const PciDevice& pci : all) {
    if (is_npu(pci)) devices.push_back(look_at_npu(system.root, pci));
    if (pci.vendor != 0x10ee) continue;
    if (!card.empty() && card_of(card.front()->slot) != card_of(pci.slot)) finish_card();
    card.push_back(&pci);
  }
  finish_card();
  look_for_board(system.root, devices);
}

}  // namespace

Probe make_probe() { return {"xilinx", SN_DEVICE_FPGA, &look, nullptr}; }

}  // namespace supernova::device::xilinx
