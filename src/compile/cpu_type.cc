#include "compile/cpu_type.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <array>
#include <set>
#include <sstream>
#include <string_view>

#include "base/file.h"
#include "compile/key.h"

namespace supernova::compile {
namespace {

constexpr size_t kMaxText = size_t{16} << 20U;  // machines with many processors write much
constexpr std::array<std::string_view, 6> kTelling{"vendor_id",       "cpu family", "flags",
                                                   "CPU implementer", "CPU part",   "Features"};

std::string read_cpuinfo() {
  const base::File file(::open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC));
  return file.is_open() ? base::read_all(file.get(), kMaxText).value_or("") : "";
}

}  // namespace

std::string cpu_type_of(const std::string& architecture, const std::string& cpuinfo) {
  // A set: processors of several kinds each count once, whichever comes first.
  std::set<std::string> lines;
  std::istringstream stream(cpuinfo);
  for (std::string line; std::getline(stream, line);) {
    for (const std::string_view name : kTelling) {
      const bool telling =
          line.starts_with(name) && line.find_first_not_of(" \t", name.size()) == line.find(':');
      if (telling) lines.insert(line);
    }
  }
  KeyBuilder key;
  for (const std::string& line : lines) key.add(line);
  return base::str_cat(architecture, ":", key.finish().substr(0, 16));
}

const std::string& cpu_type() {
  static const std::string type = [] {
    utsname name{};
    ::uname(&name);
    return cpu_type_of(name.machine, read_cpuinfo());
  }();
  return type;
}

}  // namespace supernova::compile
