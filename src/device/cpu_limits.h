// What of the machine's processors this process may use: affinity, and the quotas of cgroups v2 and
// v1 from its own group up to the root. Stateless and thread-safe; what can't be read is no limit.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace supernova::device {

// Path of this process in the unified hierarchy (v2, controller "") or of a v1 controller; "" = the
// root.
std::string cgroup_path(const std::string& sysroot, std::string_view controller);
// The least positive value of `read` on the way from a cgroup up to the root; 0 = none.
double least_on_path(std::string path, const std::function<double(const std::string&)>& read);

double cpu_quota(const std::string& sysroot);  // in cores; 0 = none
int affinity_cores();                          // of the calling thread; 0 = not known

// How many threads keep busy what this process may use, at least 1; read anew.
int thread_budget(const std::string& sysroot = "/");
// The same, read when it is first asked for: the one number that the pool and every engine share.
int process_thread_budget();
// The same as a pure function: cores of the machine, affinity and quota, each 0 = not known.
int thread_budget_of(int cores, int affinity, double quota);

}  // namespace supernova::device
