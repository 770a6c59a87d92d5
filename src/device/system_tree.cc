#include "device/system_tree.h"

#include <fstream>

namespace supernova::device {

std::string read_system_file(const std::string& sysroot, const std::string& path) {
  constexpr size_t kLimit = 1 << 20;
  std::ifstream stream(sysroot + "/" + path, std::ios::binary);
  std::string content(kLimit, '\0');
  stream.read(content.data(), static_cast<std::streamsize>(kLimit));
  content.resize(static_cast<size_t>(stream.gcount()));
  return content;
}

}  // namespace supernova::device
