#include "device/diagnosis.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "base/text.h"
#include "device/system_tree.h"

namespace supernova::device {
namespace {

// The name of a group in the tree's own /etc/group, or its number.
std::string group_name(const std::string& sysroot, gid_t group) {
  std::istringstream lines(read_system_file(sysroot, "etc/group"));
  const std::string number = std::to_string(group);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name;
    std::string password;
    std::string id;
    std::getline(fields, name, ':');
    std::getline(fields, password, ':');
    std::getline(fields, id, ':');
    if (id == number && !name.empty()) return printable(name);
  }
  return number;
}

Identity this_process() {
  Identity who{::geteuid(), {::getegid()}};
  const int count = ::getgroups(0, nullptr);
  if (count > 0) {
    std::vector<gid_t> groups(static_cast<size_t>(count));
    groups.resize(static_cast<size_t>(std::max(::getgroups(count, groups.data()), 0)));
    who.groups.insert(who.groups.end(), groups.begin(), groups.end());
  }
  return who;
}

// Folders named in /etc/ld.so.conf.d/*.conf, without the leading slash.
std::vector<std::string> configured_folders(const std::string& sysroot) {
  std::vector<std::string> folders;
  for (const std::string& name : list_folder(sysroot, "etc/ld.so.conf.d")) {
    std::istringstream lines(read_system_file(sysroot, "etc/ld.so.conf.d/" + name));
    for (std::string line; std::getline(lines, line);) {
      const std::string_view folder = trimmed(line);
      if (folder.starts_with("/")) folders.emplace_back(folder.substr(1));
    }
  }
  return folders;
}

}  // namespace

bool may_open(const FileAccess& file, const Identity& who) {
  constexpr mode_t kReadWrite = 6;
  if (who.user == 0) return true;
  if (who.user == file.owner) return ((file.mode >> 6U) & kReadWrite) == kReadWrite;
  if (std::find(who.groups.begin(), who.groups.end(), file.group) != who.groups.end()) {
    return ((file.mode >> 3U) & kReadWrite) == kReadWrite;
  }
  return (file.mode & kReadWrite) == kReadWrite;
}

std::string find_library(const std::string& sysroot, std::string_view name,
                         const std::vector<std::string>& folders) {
  std::vector<std::string> all = folders;
  for (const char* folder :
       {"usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib",
        "usr/local/lib", "lib64", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"}) {
    all.emplace_back(folder);
  }
  const std::vector<std::string> configured = configured_folders(sysroot);
  all.insert(all.end(), configured.begin(), configured.end());
  if (sysroot == "/") {
    const char* variable = std::getenv("LD_LIBRARY_PATH");
    std::istringstream paths(variable == nullptr ? "" : variable);
    for (std::string path; std::getline(paths, path, ':');) all.push_back(path);
  }
  for (const std::string& folder : all) {
    const std::string path = base::str_cat(folder, "/", name);
    if (exists(sysroot, path)) return base::str_cat(folder.starts_with("/") ? "" : "/", path);
  }
  return "";
}

bool in_container(const std::string& sysroot) {
  if (exists(sysroot, ".dockerenv") || exists(sysroot, "run/.containerenv")) return true;
  const std::string groups = read_system_file(sysroot, "proc/self/cgroup");
  for (const char* word : {"/docker", "kubepods", "libpod", "/lxc"}) {
    if (groups.find(word) != std::string::npos) return true;
  }
  // Images are unpacked into layers; no installed system has such a root.
  std::istringstream mounts(read_system_file(sysroot, "proc/self/mountinfo"));
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" / / ") != std::string::npos && line.find(" - overlay ") != std::string::npos) {
      return true;
    }
  }
  return false;
}

bool Diagnosis::need_driver(const Device& device, const std::vector<std::string>& drivers,
                            std::string_view how) {
  if (std::find(drivers.begin(), drivers.end(), device.driver) != drivers.end()) return true;
  if (device.driver == "vfio-pci") {
    add("it is reserved for virtual machines (driver vfio-pci); give it back to the driver " +
        drivers.front());
  } else if (device.driver.empty()) {
    add(base::str_cat("no driver is bound to it: ", how));
  } else {
    add(base::str_cat("its driver is ", device.driver, ", which can't be computed with: ", how));
  }
  return false;
}

void Diagnosis::need_node(const std::string& node, std::string_view pass, std::string_view create) {
  struct stat status {};
  const std::string path = node.starts_with("/") ? node.substr(1) : node;
  if (::stat((sysroot_ + "/" + path).c_str(), &status) != 0) {
    if (in_container(sysroot_)) {
      add(base::str_cat(node, " is not in this container: start it with ",
                        pass.empty() ? "--device " + node : std::string(pass)));
    } else {
      add(base::str_cat(node, " is missing: ", create));
    }
    return;
  }
  // Who would open it is known on this machine only.
  if (sysroot_ != "/") return;
  if (may_open({status.st_mode, status.st_uid, status.st_gid}, this_process())) return;
  const bool group_may = (status.st_mode & 060U) == 060U && status.st_gid != 0;
  const std::string group = group_name(sysroot_, status.st_gid);
  add(group_may ? base::str_cat("this user may not open ", node, ": add it to the group ", group,
                                " (usermod -aG ", group, " USER, then log in again; containers: ",
                                "--group-add ", status.st_gid, ")")
                : base::str_cat("this user may not open ", node,
                                ": have a udev rule give it to a group of this user"));
}

void Diagnosis::need_library(const std::vector<std::string>& names,
                             const std::vector<std::string>& folders, std::string_view how) {
  for (const std::string& name : names) {
    if (!find_library(sysroot_, name, folders).empty()) return;
  }
  add(base::str_cat(names.front(), " is not installed: ", how));
}

void Diagnosis::settle(Device& device) const {
  std::vector<std::string> all = missing_;
  if (!no_engine_.empty()) all.push_back(no_engine_);
  if (all.empty()) return;
  if (device.state == DeviceState::kUsable) device.state = DeviceState::kUnusable;
  device.missing = base::str_join(all, "; ");
  device.no_engine = no_engine_;
}

}  // namespace supernova::device
