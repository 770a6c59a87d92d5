#include "device/system_tree.h"

#include <algorithm>
#include <fstream>

namespace supernova::device {

std::string read_system_file(const std::string& sysroot, const std::string& path) {
  constexpr size_t kLimit = 1 << 20;
  std::ifstream stream(sysroot + "/" + path, std::ios::binary);
  // Such files don't know their size, and nearly all have less than a page: more is asked for only
  // when that much has come.
  std::string content;
  while (stream && content.size() < kLimit) {
    const size_t before = content.size();
    content.resize(std::min(kLimit, std::max<size_t>(4096, 2 * before)));
    stream.read(content.data() + before, static_cast<std::streamsize>(content.size() - before));
    content.resize(before + static_cast<size_t>(stream.gcount()));
  }
  return content;
}

}  // namespace supernova::device
