#include "import/tflite/attached.h"

#include <cstdint>
#include <cstring>

#include "base/json_writer.h"

namespace supernova::import::tflite {
namespace {

// Zip: the end record (22 bytes and a comment) says where the directory is (APPNOTE.TXT, 4.3).
constexpr std::string_view kEndMark("PK\5\6", 4);
constexpr std::string_view kEntryMark("PK\1\2", 4);
constexpr size_t kEndSize = 22;
constexpr size_t kEntrySize = 46;
constexpr size_t kMaxComment = 65535;
constexpr size_t kMaxEntries = 64;

template <typename T>
T number(std::string_view bytes, size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

}  // namespace

std::vector<std::string> attached_files(std::string_view file) {
  std::vector<std::string> names;
  if (file.size() < kEndSize) return names;
  const size_t first = file.size() - std::min(file.size(), kEndSize + kMaxComment);
  const size_t end = file.rfind(kEndMark);
  if (end == file.npos || end < first || file.size() - end < kEndSize) return names;
  const size_t size = number<uint32_t>(file, end + 12);
  if (size > end) return names;
  // The archive's own offsets may count from where it begins; the directory ends where this starts.
  std::string_view directory = file.substr(end - size, size);
  while (directory.size() >= kEntrySize && directory.starts_with(kEntryMark) &&
         names.size() < kMaxEntries) {
    const size_t name = number<uint16_t>(directory, 28);
    const size_t extra = size_t{number<uint16_t>(directory, 30)} + number<uint16_t>(directory, 32);
    if (directory.size() < kEntrySize + name + extra) break;
    const std::string_view text = directory.substr(kEntrySize, name);
    if (base::is_valid_utf8(text)) names.emplace_back(text.substr(0, 128));
    directory.remove_prefix(kEntrySize + name + extra);
  }
  return names;
}

}  // namespace supernova::import::tflite
