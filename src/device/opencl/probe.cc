// OpenCL: which drivers are installed is in the tree (.icd files), which devices they drive only
// the loader knows. No engine runs models through OpenCL by itself; the list shows what OpenVINO
// and TVM would find.
#include "base/text.h"
#include "device/bus.h"
#include "device/diagnosis.h"
#include "device/opencl/opencl.h"
#include "device/record.h"
#include "device/system_tree.h"

namespace supernova::device::opencl {

Probe make_probe();

namespace {

using Outcome = LibraryAnswer::Outcome;

constexpr uint64_t kCpu = 2;
constexpr uint64_t kGpu = 4;
constexpr uint64_t kAccelerator = 8;

constexpr std::string_view kNoEngine =
    "no engine runs models through OpenCL by itself: a GPU is driven as what it is (intel-gpu by "
    "OpenVINO, which uses OpenCL) or as a vulkan device";

// Libraries that the .icd files name.
std::vector<std::string> installed_drivers(const std::string& root) {
  std::vector<std::string> drivers;
  for (const std::string& name : list_folder(root, "etc/OpenCL/vendors")) {
    if (!name.ends_with(".icd")) continue;
    const std::string library = read_line(root, "etc/OpenCL/vendors/" + name);
    drivers.push_back(library.empty() ? printable(name) : library);
  }
  return drivers;
}

Device from_record(const Record& record) {
  Device device = made_device(SN_DEVICE_OPENCL);
  device.model = text_in(record, "name");
  device.vendor_id = static_cast<uint32_t>(number_in(record, "vendor"));
  device.driver = text_in(record, "platform");
  device.driver_version = text_in(record, "driver");
  device.memory_bytes = number_in(record, "memory");
  const std::string slot = text_in(record, "slot");
  if (!slot.empty()) device.address = "pci:" + slot;
  const uint64_t type = number_in(record, "type");
  if ((type & kCpu) != 0) device.features.emplace_back("emulated");
  if ((type & kGpu) != 0) device.features.emplace_back("gpu");
  if ((type & kAccelerator) != 0) device.features.emplace_back("accelerator");
  device.features.push_back(base::str_cat("units-", number_in(record, "units")));
  Diagnosis diagnosis("");
  diagnosis.no_engine(std::string(kNoEngine));
  diagnosis.settle(device);
  return device;
}

Device unlisted(const std::vector<std::string>& drivers, const LibraryAnswer& answer) {
  Device device = made_device(SN_DEVICE_OPENCL);
  device.model = base::str_cat("devices of the OpenCL drivers ", base::str_join(drivers, ", "));
  Diagnosis diagnosis("");
  diagnosis.no_engine(std::string(kNoEngine));
  if (answer.outcome == Outcome::kAbsent) {
    diagnosis.add(
        "libOpenCL.so.1 is not installed or can't be loaded: apt install ocl-icd-libopencl1");
  } else if (answer.outcome == Outcome::kRefused) {
    diagnosis.add("the OpenCL loader says: " + answer.reason);
  } else if (answer.outcome == Outcome::kNotAsked) {
    diagnosis.add("which devices they drive only the OpenCL loader of the machine itself can tell");
  } else {
    device.state = DeviceState::kNotAnswering;
    device.health = base::str_cat("the OpenCL loader or one of its drivers ", answer.reason,
                                  "; name the driver to use in OCL_ICD_VENDORS");
  }
  diagnosis.settle(device);
  return device;
}

void look(const System& system, std::vector<Device>& devices) {
  const std::vector<std::string> drivers = installed_drivers(system.root);
  if (drivers.empty()) return;
  const LibraryAnswer answer = system.ask();
  if (answer.outcome != Outcome::kAnswered) {
    devices.push_back(unlisted(drivers, answer));
    return;
  }
  for (const Record& record : answer.records) devices.push_back(from_record(record));
}

}  // namespace

Probe make_probe() { return {"opencl", SN_DEVICE_OPENCL, &look, &ask_loader}; }

}  // namespace supernova::device::opencl
