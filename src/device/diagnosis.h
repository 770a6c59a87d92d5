// Why a device can't be used, and what to do about it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "device/device.h"

namespace supernova::device {

// Who wants to open a file, and the file's owner and mode. Pure.
struct FileAccess {
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;
};
struct Identity {
  uid_t user = 0;
  std::vector<gid_t> groups;
};
bool may_open(const FileAccess& file, const Identity& who);

// Path of a shared library in the folders that the system's loader looks through, or in `folders`;
// "" = there is none. On this machine LD_LIBRARY_PATH counts too.
std::string find_library(const std::string& sysroot, std::string_view name,
                         const std::vector<std::string>& folders = {});
// Whether the tree is that of a container.
bool in_container(const std::string& sysroot);

// Collects what is missing in the order in which a user would put it right. On one thread.
class Diagnosis {
 public:
  explicit Diagnosis(const std::string& sysroot) : sysroot_(sysroot) {}

  // The driver bound to the device must be one of `drivers`; false when it isn't, and its nodes are
  // not worth looking for.
  bool need_driver(const Device& device, const std::vector<std::string>& drivers,
                   std::string_view how);
  // A file below /dev must be there and open to this process. `pass` is what starts a container
  // with it ("--gpus all"; "" = "--device NODE"), `create` how it comes about outside of one.
  void need_node(const std::string& node, std::string_view pass, std::string_view create);
  // A library of that name (several: one of them) must be there.
  void need_library(const std::vector<std::string>& names, const std::vector<std::string>& folders,
                    std::string_view how);
  // One thing; "; " stands between things, and in none of them.
  void add(std::string what) { missing_.push_back(std::move(what)); }
  // No engine of this program drives the device, whatever else is missing.
  void no_engine(std::string why) { no_engine_ = std::move(why); }

  // Makes the device unusable if anything is missing.
  void settle(Device& device) const;

 private:
  const std::string sysroot_;
  std::vector<std::string> missing_;
  std::string no_engine_;
};

}  // namespace supernova::device
