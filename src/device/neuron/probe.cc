// AWS Inferentia and Trainium: PCI ids and /dev/neuronN of the driver aws-neuronx, also where no
// bus is to be seen.
#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::neuron {

Probe make_probe();

namespace {

struct Product {
  uint32_t id;
  const char* name;
};
constexpr Product kProducts[] = {
    {0x7064, "AWS Inferentia"}, {0x7065, "AWS Inferentia"}, {0x7066, "AWS Inferentia"},
    {0x7067, "AWS Inferentia"}, {0x7164, "AWS Trainium"},   {0x7264, "AWS Inferentia2"},
    {0x7364, "AWS Trainium2"},  {0x7564, "AWS Trainium3"},  {0x7565, "AWS Trainium3"},
};

// Amazon's vendor id is that of its network and storage controllers too.
const char* product_name(const PciDevice& pci) {
  for (const Product& product : kProducts) {
    if (product.id == pci.product) return product.name;
  }
  return pci.driver == "neuron" ? "AWS Neuron device" : nullptr;
}

// N of /dev/neuronN: as the driver links it, else the place among the devices.
std::string node_of(const std::string& root, const PciDevice& pci, size_t place) {
  for (const std::string& name : list_folder(root, pci.path + "/neuron_device")) {
    if (name.starts_with("neuron")) return "/dev/" + printable(name);
  }
  return base::str_cat("/dev/neuron", place);
}

void need_the_rest(Diagnosis& diagnosis, Device& device) {
  diagnosis.need_library({"libnrt.so.1"}, {"opt/aws/neuron/lib"},
                         "install aws-neuronx-runtime-lib from Amazon's package archive "
                         "(apt.repos.neuron.amazonaws.com)");
  diagnosis.no_engine(
      "no engine of this program runs Neuron's compiled models (NEFF) yet: one can be added "
      "against libnrt with --engine-library");
  diagnosis.settle(device);
}

// Nodes whose devices are on no bus that is to be seen, as in containers that hide it.
void look_for_nodes(const std::string& root, std::vector<Device>& devices) {
  for (const std::string& name : list_folder(root, "dev")) {
    int number = 0;
    if (!name.starts_with("neuron") ||
        !base::parse_whole(std::string_view(name).substr(6), number)) {
      continue;
    }
    Device device = made_device(SN_DEVICE_NEURON);
    device.model = "AWS Neuron device";
    device.vendor_id = 0x1d0f;
    device.address = "/dev/" + name;
    device.driver = "neuron";
    device.driver_version = module_version(root, "neuron");
    device.nodes = {device.address};
    Diagnosis diagnosis(root);
    diagnosis.need_node(device.address, "", "'modprobe neuron'");
    need_the_rest(diagnosis, device);
    devices.push_back(std::move(device));
  }
}

void look(const System& system, std::vector<Device>& devices) {
  const std::string& root = system.root;
  size_t place = 0;
  for (const PciDevice& pci : list_pci(root)) {
    const char* name = pci.vendor == 0x1d0f ? product_name(pci) : nullptr;
    if (name == nullptr) continue;
    Device device = device_at(root, SN_DEVICE_NEURON, pci);
    device.model = name;
    device.nodes.push_back(node_of(root, pci, place++));
    Diagnosis diagnosis(root);
    if (diagnosis.need_driver(device, {"neuron"},
                              "install aws-neuronx-dkms from Amazon's package archive "
                              "(apt.repos.neuron.amazonaws.com), then 'modprobe neuron'")) {
      diagnosis.need_node(device.nodes.back(), "", "'modprobe -r neuron && modprobe neuron'");
    }
    need_the_rest(diagnosis, device);
    devices.push_back(std::move(device));
  }
  if (place == 0) look_for_nodes(root, devices);
}

}  // namespace

Probe make_probe() { return {"neuron", SN_DEVICE_NEURON, &look, nullptr}; }

}  // namespace supernova::device::neuron
