// The CPU: /proc/cpuinfo (x86 and ARM64 forms), affinity, cgroup v2 and v1 quotas, memory and NUMA
// nodes.
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/text.h"
#include "device/device.h"
#include "device/system_tree.h"

namespace supernova::device::cpu {

void probe(const std::string& sysroot, std::vector<Device>& devices);

namespace {

std::string trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

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
    const std::string key = trim(std::string_view(line).substr(0, colon));
    const std::string value = trim(std::string_view(line).substr(colon + 1));
    if (key == "processor") ++info.cores;
    if (key == "model name" && info.model.empty()) info.model = value;
    if (key == "CPU implementer") implementer = value;
    if (key == "CPU part") part = value;
    if (key == "flags" || key == "Features") {
      std::istringstream words(value);
      for (std::string word; words >> word;) {
        if (is_interesting(word)) info.features.insert(word);
      }
    }
  }
  if (info.model.empty() && !implementer.empty()) {
    // ARM64 kernels name no model; boards do.
    const std::string board = read_system_file(sysroot, "proc/device-tree/model");
    info.model = trim(std::string_view(board.c_str()));
    if (info.model.empty()) {
      info.model = base::str_cat("ARM implementer ", implementer, " part ", part);
    }
  }
  return info;
}

// Path of this process in the unified hierarchy (v2) or of a v1 controller; "" = the root.
std::string cgroup_path(const std::string& sysroot, std::string_view controller) {
  std::istringstream lines(read_system_file(sysroot, "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers =
        std::string_view(line).substr(first + 1, second - first - 1);
    const std::string wrapped = base::str_cat(",", controllers, ",");
    const bool matches =
        controller.empty() ? controllers.empty()
                           : wrapped.find(base::str_cat(",", controller, ",")) != std::string::npos;
    if (matches) return line.substr(second + 1);
  }
  return "";
}

// The least quota on the way from a cgroup up to the root, in cores; 0 = none.
template <typename ReadQuota>
double least_quota(std::string path, ReadQuota read_quota) {
  double least = 0;
  while (true) {
    const double quota = read_quota(path);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
    if (path.empty() || path == "/") return least;
    path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

double quota_cores(const std::string& sysroot) {
  const double v2 = least_quota(cgroup_path(sysroot, ""), [&](const std::string& path) {
    std::istringstream text(read_system_file(sysroot, "sys/fs/cgroup" + path + "/cpu.max"));
    double quota = 0;
    double period = 0;
    return text >> quota >> period && period > 0 ? quota / period
                                                 : 0.0;  // "max" reads as no number
  });
  if (v2 > 0) return v2;
  return least_quota(cgroup_path(sysroot, "cpu"), [&](const std::string& path) {
    const std::string folder = "sys/fs/cgroup/cpu" + path;
    std::istringstream quota_text(read_system_file(sysroot, folder + "/cpu.cfs_quota_us"));
    std::istringstream period_text(read_system_file(sysroot, folder + "/cpu.cfs_period_us"));
    double quota = 0;
    double period = 0;
    return quota_text >> quota && period_text >> period && quota > 0 && period > 0 ? quota / period
                                                                                   : 0.0;
  });
}

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
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
  const double limit = least_quota(cgroup_path(sysroot, ""), [&](const std::string& path) {
    std::istringstream text(read_system_file(sysroot, "sys/fs/cgroup" + path + "/memory.max"));
    double bytes = 0;
    return text >> bytes ? bytes : 0.0;
  });
  const double limit_v1 = least_quota(cgroup_path(sysroot, "memory"), [&](const std::string& path) {
    std::istringstream text(
        read_system_file(sysroot, "sys/fs/cgroup/memory" + path + "/memory.limit_in_bytes"));
    double bytes = 0;
    return text >> bytes ? bytes : 0.0;  // "no limit" is a number larger than any memory
  });
  for (const double bytes : {limit, limit_v1}) {
    if (bytes > 0 && (total == 0 || bytes < static_cast<double>(total))) {
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

}  // namespace

void probe(const std::string& sysroot, std::vector<Device>& devices) {
  const CpuInfo info = read_cpuinfo(sysroot);
  if (info.cores == 0) return;
  Device device;
  device.id = "cpu";
  device.kind = "cpu";
  device.model = info.model;
  device.engine = "onnxruntime";
  device.cores = info.cores;
  device.cores_usable = info.cores;
  if (sysroot == "/") {
    if (const int allowed = affinity_cores(); allowed > 0) {
      device.cores_usable = std::min<double>(device.cores_usable, allowed);
    }
  }
  if (const double quota = quota_cores(sysroot); quota > 0) {
    device.cores_usable = std::min(device.cores_usable, quota);
  }
  device.memory_bytes = memory_bytes(sysroot);
  device.features.assign(info.features.begin(), info.features.end());
  device.numa_nodes = numa_nodes(sysroot);
  devices.push_back(std::move(device));
}

}  // namespace supernova::device::cpu
