// Movidius Myriad sticks and cards: known by their USB ids, which change when firmware is loaded.
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/probes.h"

namespace supernova::device::vpu {

Probe make_probe();

namespace {

struct Product {
  uint32_t id;
  const char* name;
};
constexpr Product kProducts[] = {
    {0x2150, "Movidius Neural Compute Stick (Myriad 2)"},
    {0x2485, "Intel Neural Compute Stick 2 (Myriad X)"},
    {0xf63b, "Movidius Myriad, firmware loaded"},
    {0xf63c, "Movidius Myriad X, boot loader"},
};

void look(const System& system, std::vector<Device>& devices) {
  for (const UsbDevice& usb : list_usb(system.root)) {
    if (usb.vendor != 0x03e7) continue;
    Device device = device_at(SN_DEVICE_VPU, usb);
    device.model = "Movidius Myriad";
    for (const Product& product : kProducts) {
      if (product.id == usb.product) device.model = product.name;
    }
    Diagnosis diagnosis(system.root);
    diagnosis.no_engine(
        "no engine drives it: Intel has ended its support, OpenVINO 2022.3 was the last that knew "
        "it. Its successors are the NPUs of Core Ultra processors (kind npu)");
    diagnosis.settle(device);
    devices.push_back(std::move(device));
  }
}

}  // namespace

Probe make_probe() { return {"vpu", SN_DEVICE_VPU, &look, nullptr}; }

}  // namespace supernova::device::vpu
