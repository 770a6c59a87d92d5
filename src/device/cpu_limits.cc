#include "device/cpu_limits.h"

#include <limits.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <thread>
#include <vector>

#include "base/text.h"
#include "device/system_tree.h"

namespace supernova::device {

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
    // No path is longer than the kernel takes.
    if (matches) return line.size() - second <= PATH_MAX ? line.substr(second + 1) : "";
  }
  return "";
}

double least_on_path(std::string path, const std::function<double(const std::string&)>& read) {
  double least = 0;
  while (true) {
    const double value = read(path);
    if (value > 0 && (least == 0 || value < least)) least = value;
    if (path.empty() || path == "/") return least;
    path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

double cpu_quota(const std::string& sysroot) {
  const double v2 = least_on_path(cgroup_path(sysroot, ""), [&](const std::string& path) {
    std::istringstream text(read_system_file(sysroot, "sys/fs/cgroup" + path + "/cpu.max"));
    double quota = 0;
    double period = 0;
    return text >> quota >> period && period > 0 ? quota / period
                                                 : 0.0;  // "max" reads as no number
  });
  if (v2 > 0) return v2;
  return least_on_path(cgroup_path(sysroot, "cpu"), [&](const std::string& path) {
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
  // The kernel takes no set that is smaller than its own, which may have more than cpu_set_t's
  // 1024.
  for (size_t sets = 1; sets <= 64; sets *= 2) {
    std::vector<cpu_set_t> set(sets);
    const size_t size = sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, size, set.data()) == 0) return CPU_COUNT_S(size, set.data());
  }
  return 0;
}

int thread_budget_of(int cores, int affinity, double quota) {
  double usable = std::max(cores, 1);
  if (affinity > 0) usable = cores > 0 ? std::min<double>(usable, affinity) : affinity;
  if (quota > 0) usable = std::min(usable, quota);
  return std::max(1, static_cast<int>(std::lround(usable)));
}

int thread_budget(const std::string& sysroot) {
  return thread_budget_of(static_cast<int>(std::thread::hardware_concurrency()), affinity_cores(),
                          cpu_quota(sysroot));
}

int process_thread_budget() {
  static const int budget = thread_budget();
  return budget;
}

}  // namespace supernova::device
