// The CPU: /proc/cpuinfo (x86 and ARM64 forms), affinity, cgroup v2 and v1 quotas, memory and NUMA
// nodes.
#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "base/text.h"
#include "device/bus.h"
#include "device/cpu_limits.h"
#include "device/probes.h"
#include "device/system_tree.h"

namespace supernova::device::cpu {

Probe make_probe();

namespace {

// What inference cares about, by the names that the kernel uses on x86 and ARM64.
bool is_interesting(const std::string& feature) {
  static const std::set<std::string, std::less<>> kKnown{
      "sse4_2",      "avx",         "avx2",        "fma",      "f16c",     "avx512f",  "avx512bw",
      "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16",
      "amx_fp16",    "asimd",       "asimdhp",     "asimddp",  "asimdfhm", "i8mm",     "bf16",
      "sve",         "sve2",        "sme",         "fphp"};
  return kKnown.contains(feature);
}

struct CpuInfo {
  int cores = 0;
  std::string model;
  std::set<std::string> features;
};

CpuInfo read_cpuinfo(const std::string& sysroot) {
  CpuInfo info;
  std::istringstream lines(read_system_file(sysroot, "proc/cpuinfo"));
  std::string implementer;
  std::string part;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key(trimmed(std::string_view(line).substr(0, colon)));
    const std::string value(trimmed(std::string_view(line).substr(colon + 1)));
    if (key == "processor") ++info.cores;
    if (key == "model name" && info.model.empty()) info.model = printable(value);
    if (key == "CPU implementer") implementer = printable(value);
    if (key == "CPU part") part = printable(value);
    if (key == "flags" || key == "Features") {
      std::istringstream words(value);
      for (std::string word; words >> word;) {
        if (is_interesting(word)) info.features.insert(word);
      }
    }
  }
  if (info.model.empty() && !implementer.empty()) {
    // ARM64 kernels name no model; boards do.
    info.model = board_model(sysroot);
    if (info.model.empty()) {
      info.model = base::str_cat("ARM implementer ", implementer, " part ", part);
    }
  }
  return info;
}

uint64_t memory_bytes(const std::string& sysroot) {
  uint64_t total = 0;
  std::istringstream lines(read_system_file(sysroot, "proc/meminfo"));
  for (std::string key, unit; lines >> key;) {
    uint64_t kilobytes = 0;
    lines >> kilobytes >> unit;
    if (key == "MemTotal:") {
      total = kilobytes * 1024;
      break;
    }
  }
  const double limit = least_on_path(cgroup_path(sysroot, ""), [&](const std::string& path) {
    std::istringstream text(read_system_file(sysroot, "sys/fs/cgroup" + path + "/memory.max"));
    double bytes = 0;
    return text >> bytes ? bytes : 0.0;
  });
  const double limit_v1 =
      least_on_path(cgroup_path(sysroot, "memory"), [&](const std::string& path) {
        std::istringstream text(
            read_system_file(sysroot, "sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes"));
        double bytes = 0;
        return text >> bytes ? bytes : 0.0;  // "no limit" is a number larger than any memory
      });
  for (const double bytes : {limit, limit_v1}) {
    constexpr double kMost = 1ULL << 63U;  // what means "no limit" may not even fit a number
    if (bytes > 0 && bytes < (total == 0 ? kMost : static_cast<double>(total))) {
      total = static_cast<uint64_t>(bytes);
    }
  }
  return total;
}

int numa_nodes(const std::string& sysroot) {
  int nodes = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(sysroot + "/sys/devices/system/node", error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    int number = 0;
    if (name.starts_with("node") && base::parse_whole(std::string_view(name).substr(4), number)) {
      ++nodes;
    }
  }
  return nodes;
}

void look(const System& system, std::vector<Device>& devices) {
  const std::string& sysroot = system.root;
  CpuInfo info = read_cpuinfo(sysroot);
  Device device = made_device(SN_DEVICE_CPU);
  if (info.cores == 0 && system.is_this_machine()) {
    info.cores = static_cast<int>(std::thread::hardware_concurrency());
    device.health = "/proc/cpuinfo can't be read: what it is and can do is not known";
  }
  if (info.cores == 0) return;
  device.model = info.model;
  device.engine = "onnxruntime";
  device.cores = info.cores;
  device.cores_usable = info.cores;
  if (sysroot == "/") {
    if (const int allowed = affinity_cores(); allowed > 0) {
      device.cores_usable = std::min<double>(device.cores_usable, allowed);
    }
  }
  if (const double quota = cpu_quota(sysroot); quota > 0) {
    device.cores_usable = std::min(device.cores_usable, quota);
  }
  device.memory_bytes = memory_bytes(sysroot);
  device.features.assign(info.features.begin(), info.features.end());
  device.numa_nodes = numa_nodes(sysroot);
  devices.push_back(std::move(device));
}

}  // namespace

Probe make_probe() { return {"cpu", SN_DEVICE_CPU, &look, nullptr}; }

}  // namespace supernova::device::cpu
