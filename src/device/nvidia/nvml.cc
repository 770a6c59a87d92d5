// NVML's C interface, as NVIDIA's "NVML API Reference" documents it; its functions and structures
// are kept binary compatible by version suffixes.
#include <cstdio>

#include "base/text.h"
#include "device/dynamic_library.h"
#include "device/nvidia/nvidia.h"

namespace supernova::device::nvidia {
namespace {

using Handle = void*;

constexpr int kSuccess = 0;
constexpr int kGpuIsLost = 15;
constexpr int kTemperatureOfGpu = 0;
constexpr int kSlowdownThreshold = 1;
constexpr int kUncorrected = 1;
constexpr int kSinceBoot = 0;
constexpr unsigned kMostGpus = 256;

struct PciInfo {
  char legacy_id[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  unsigned ids;
  unsigned subsystem_ids;
  char id[32];
};
struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct Nvml {
  int (*init)();
  const char* (*error_text)(int);
  int (*driver_version)(char*, unsigned);
  int (*count)(unsigned*);
  int (*handle)(unsigned, Handle*);
  int (*pci)(Handle, PciInfo*);
  int (*name)(Handle, char*, unsigned);
  int (*uuid)(Handle, char*, unsigned);
  int (*minor)(Handle, unsigned*);
  int (*memory)(Handle, Memory*);
  int (*temperature)(Handle, int, unsigned*);
  int (*threshold)(Handle, int, unsigned*);
  int (*ecc_errors)(Handle, int, int, unsigned long long*);
  int (*remapped_rows)(Handle, unsigned*, unsigned*, unsigned*, unsigned*);
  int (*capability)(Handle, int*, int*);
  int (*mig)(Handle, unsigned*, unsigned*);

  explicit Nvml(const DynamicLibrary& library) {
    library.find("nvmlInit_v2", init);
    library.find("nvmlErrorString", error_text);
    library.find("nvmlSystemGetDriverVersion", driver_version);
    library.find("nvmlDeviceGetCount_v2", count);
    library.find("nvmlDeviceGetHandleByIndex_v2", handle);
    library.find("nvmlDeviceGetPciInfo_v3", pci);
    library.find("nvmlDeviceGetName", name);
    library.find("nvmlDeviceGetUUID", uuid);
    library.find("nvmlDeviceGetMinorNumber", minor);
    library.find("nvmlDeviceGetMemoryInfo", memory);
    library.find("nvmlDeviceGetTemperature", temperature);
    library.find("nvmlDeviceGetTemperatureThreshold", threshold);
    library.find("nvmlDeviceGetTotalEccErrors", ecc_errors);
    library.find("nvmlDeviceGetRemappedRows", remapped_rows);
    library.find("nvmlDeviceGetCudaComputeCapability", capability);
    library.find("nvmlDeviceGetMigMode", mig);
  }
  bool is_complete() const { return init && count && handle; }
  std::string error(int code) const {
    const char* text = error_text != nullptr ? error_text(code) : nullptr;
    return text != nullptr ? text : base::str_cat("NVML error ", code);
  }
};

// Calls a function of NVML that this version may lack; false when it fails.
template <typename... Parameters, typename... Arguments>
bool ok(int (*function)(Parameters...), Arguments... arguments) {
  return function != nullptr && function(arguments...) == kSuccess;
}

void ask_identity(const Nvml& nvml, Handle gpu, Record& record) {
  PciInfo pci{};
  char text[256] = "";
  unsigned minor = 0;
  if (ok(nvml.pci, gpu, &pci)) {
    // Each is one function of its device.
    std::snprintf(text, sizeof(text), "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
    record["slot"] = text;
    record["ids"] = base::str_cat(pci.ids);
  }
  if (ok(nvml.name, gpu, text, unsigned{sizeof(text)})) record["name"] = text;
  if (ok(nvml.uuid, gpu, text, unsigned{sizeof(text)})) record["uuid"] = text;
  if (ok(nvml.minor, gpu, &minor)) record["minor"] = base::str_cat(minor);
  int major = 0;
  int small = 0;
  if (ok(nvml.capability, gpu, &major, &small)) {
    record["capability"] = base::str_cat(major, ".", small);
  }
  unsigned now = 0;
  unsigned pending = 0;
  if (ok(nvml.mig, gpu, &now, &pending) && now == 1) record["mig"] = "1";
}

void ask_condition(const Nvml& nvml, Handle gpu, Record& record) {
  Memory memory{};
  const int got = nvml.memory != nullptr ? nvml.memory(gpu, &memory) : -1;
  if (got == kGpuIsLost) record["lost"] = "1";
  if (got == kSuccess) {
    record["memory"] = base::str_cat(memory.total);
    record["free"] = base::str_cat(memory.free);
  }
  unsigned degrees = 0;
  if (ok(nvml.temperature, gpu, kTemperatureOfGpu, &degrees)) {
    record["temperature"] = base::str_cat(degrees);
  }
  if (ok(nvml.threshold, gpu, kSlowdownThreshold, &degrees)) {
    record["slowdown"] = base::str_cat(degrees);
  }
  unsigned long long errors = 0;
  if (ok(nvml.ecc_errors, gpu, kUncorrected, kSinceBoot, &errors)) {
    record["ecc"] = base::str_cat(errors);
  }
  unsigned corrected = 0;
  unsigned uncorrected = 0;
  unsigned pending = 0;
  unsigned failure = 0;
  if (ok(nvml.remapped_rows, gpu, &corrected, &uncorrected, &pending, &failure) && failure != 0) {
    record["remap_failed"] = "1";
  }
}

}  // namespace

LibraryAnswer ask_nvml() {
  using Outcome = LibraryAnswer::Outcome;
  const DynamicLibrary library({"libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"});
  if (!library.is_open()) return {Outcome::kAbsent, "libnvidia-ml.so.1", {}};
  const Nvml nvml(library);
  if (!nvml.is_complete()) {
    return {Outcome::kRefused, "libnvidia-ml.so.1 lacks functions: it is too old", {}};
  }
  if (const int code = nvml.init(); code != kSuccess) {
    return {Outcome::kRefused, nvml.error(code), {}};
  }
  LibraryAnswer answer{Outcome::kAnswered, "", {}};
  char driver[128] = "";
  ok(nvml.driver_version, driver, unsigned{sizeof(driver)});
  unsigned count = 0;
  if (const int code = nvml.count(&count); code != kSuccess) {
    return {Outcome::kRefused, nvml.error(code), {}};
  }
  for (unsigned i = 0; i < count && i < kMostGpus; ++i) {
    Handle gpu = nullptr;
    if (nvml.handle(i, &gpu) != kSuccess) continue;
    Record record{{"driver", driver}};
    ask_identity(nvml, gpu, record);
    ask_condition(nvml, gpu, record);
    answer.records.push_back(std::move(record));
  }
  return answer;
}

}  // namespace supernova::device::nvidia
