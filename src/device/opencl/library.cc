// The few functions and constants of the OpenCL 1.2 specification that name devices; the PCI
// address comes from cl_khr_pci_bus_info.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"
#include "device/dynamic_library.h"
#include "device/opencl/opencl.h"

namespace supernova::device::opencl {
namespace {

using Outcome = LibraryAnswer::Outcome;
using Platform = struct PlatformTag*;
using DeviceId = struct DeviceTag*;

constexpr uint32_t kMostPlatforms = 32;
constexpr uint32_t kMostDevices = 64;
constexpr int kNoPlatform = -1001;
constexpr uint64_t kAllTypes = 0xffffffff;

constexpr uint32_t kPlatformName = 0x0902;
constexpr uint32_t kDeviceType = 0x1000;
constexpr uint32_t kVendorId = 0x1001;
constexpr uint32_t kComputeUnits = 0x1002;
constexpr uint32_t kMemory = 0x101f;
constexpr uint32_t kName = 0x102b;
constexpr uint32_t kDriverVersion = 0x102d;
constexpr uint32_t kVersion = 0x102f;
constexpr uint32_t kPciBusInfo = 0x410f;

struct Cl {
  int (*platforms)(uint32_t, Platform*, uint32_t*);
  int (*platform_info)(Platform, uint32_t, size_t, void*, size_t*);
  int (*devices)(Platform, uint64_t, uint32_t, DeviceId*, uint32_t*);
  int (*device_info)(DeviceId, uint32_t, size_t, void*, size_t*);
};

std::string text_of(const Cl& cl, DeviceId device, uint32_t what) {
  std::array<char, 512> text{};
  if (cl.device_info(device, what, text.size() - 1, text.data(), nullptr) != 0) return "";
  return text.data();
}

template <typename T>
T number_of(const Cl& cl, DeviceId device, uint32_t what) {
  T number{};
  return cl.device_info(device, what, sizeof(number), &number, nullptr) == 0 ? number : T{};
}

Record ask_device(const Cl& cl, DeviceId device, const std::string& platform) {
  Record record{{"platform", platform},
                {"name", text_of(cl, device, kName)},
                {"version", text_of(cl, device, kVersion)},
                {"driver", text_of(cl, device, kDriverVersion)},
                {"type", base::str_cat(number_of<uint64_t>(cl, device, kDeviceType))},
                {"vendor", base::str_cat(number_of<uint32_t>(cl, device, kVendorId))},
                {"units", base::str_cat(number_of<uint32_t>(cl, device, kComputeUnits))},
                {"memory", base::str_cat(number_of<uint64_t>(cl, device, kMemory))}};
  uint32_t bus[4]{};  // domain, bus, device, function
  if (cl.device_info(device, kPciBusInfo, sizeof(bus), bus, nullptr) == 0) {
    char slot[64];
    std::snprintf(slot, sizeof(slot), "%04x:%02x:%02x.%x", bus[0], bus[1], bus[2], bus[3]);
    record["slot"] = slot;
  }
  return record;
}

}  // namespace

LibraryAnswer ask_loader() {
  const DynamicLibrary library({"libOpenCL.so.1"});
  if (!library.is_open()) return {Outcome::kAbsent, "libOpenCL.so.1", {}};
  Cl cl{};
  library.find("clGetPlatformIDs", cl.platforms);
  library.find("clGetPlatformInfo", cl.platform_info);
  library.find("clGetDeviceIDs", cl.devices);
  library.find("clGetDeviceInfo", cl.device_info);
  if (!cl.platforms || !cl.platform_info || !cl.devices || !cl.device_info) {
    return {Outcome::kRefused, "libOpenCL.so.1 lacks functions", {}};
  }
  std::array<Platform, kMostPlatforms> platforms{};
  uint32_t platform_count = 0;
  const int result = cl.platforms(kMostPlatforms, platforms.data(), &platform_count);
  if (result != 0 && result != kNoPlatform) {
    return {Outcome::kRefused, base::str_cat("clGetPlatformIDs gives ", result), {}};
  }
  LibraryAnswer answer{Outcome::kAnswered, "", {}};
  for (uint32_t i = 0; i < std::min(platform_count, kMostPlatforms); ++i) {
    std::array<char, 256> name{};
    cl.platform_info(platforms[i], kPlatformName, name.size() - 1, name.data(), nullptr);
    std::array<DeviceId, kMostDevices> devices{};
    uint32_t count = 0;
    if (cl.devices(platforms[i], kAllTypes, kMostDevices, devices.data(), &count) != 0) continue;
    for (uint32_t j = 0; j < std::min(count, kMostDevices); ++j) {
      answer.records.push_back(ask_device(cl, devices[j], name.data()));
    }
  }
  return answer;
}

}  // namespace supernova::device::opencl
