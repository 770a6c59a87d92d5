#include "device/device_list.h"

namespace supernova::device {

DeviceList::DeviceList() : DeviceList([] { return discover("/"); }) {}

std::shared_ptr<const Devices> DeviceList::get() {
  std::lock_guard lock(mutex_);  // who else asks meanwhile waits for the same look
  if (devices_ == nullptr) devices_ = std::make_shared<const Devices>(look_());
  return devices_;
}

void DeviceList::forget() {
  std::lock_guard lock(mutex_);
  devices_.reset();
}

Device plain_cpu() {
  Device cpu;
  cpu.id = cpu.kind = std::string(device_kind_name(SN_DEVICE_CPU));
  return cpu;
}

}  // namespace supernova::device
