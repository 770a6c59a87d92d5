#include "base/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>

namespace supernova::base {
namespace {

constexpr size_t padded(size_t size) { return (size + 3) & ~size_t{3}; }

// A note is three sizes, a name and a content, each padded to four bytes.
bool read_notes(const char* at, const char* end, std::string& id) {
  while (static_cast<size_t>(end - at) >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, at, sizeof(note));
    const char* name = at + sizeof(note);
    const char* content = name + padded(note.n_namesz);
    if (content + note.n_descsz > end) return false;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      constexpr char kDigits[] = "0123456789abcdef";
      for (size_t i = 0; i < note.n_descsz; ++i) {
        const auto byte = static_cast<unsigned char>(content[i]);
        id += kDigits[byte >> 4U];
        id += kDigits[byte & 15U];
      }
      return true;
    }
    at = content + padded(note.n_descsz);
  }
  return false;
}

// The first object is the program itself.
int look_at_first(dl_phdr_info* info, size_t, void* id) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const auto* notes = reinterpret_cast<const char*>(info->dlpi_addr + header.p_vaddr);
    if (read_notes(notes, notes + header.p_memsz, *static_cast<std::string*>(id))) break;
  }
  return 1;
}

}  // namespace

std::string build_id() {
  std::string id;
  dl_iterate_phdr(&look_at_first, &id);
  return id;
}

}  // namespace supernova::base
