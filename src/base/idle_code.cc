#include "base/idle_code.h"

#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace supernova::base {
namespace {

// Of /proc/self/pagemap, a word for each page (Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kOfFile = uint64_t{1} << 61;

struct Release {
  int pagemap = -1;
  size_t page_bytes = 0;
  size_t released = 0;
};

// How many pages are resident; 0 where one of them is this process's own copy, as it has no other.
size_t unchanged_pages(const Release& release, uintptr_t begin, uintptr_t end) {
  std::array<uint64_t, 1024> words;
  size_t pages = 0;
  while (begin < end) {
    const size_t wanted = std::min(words.size(), (end - begin) / release.page_bytes);
    const ssize_t got = pread(release.pagemap, words.data(), wanted * sizeof(uint64_t),
                              static_cast<off_t>(begin / release.page_bytes * sizeof(uint64_t)));
    if (got != static_cast<ssize_t>(wanted * sizeof(uint64_t))) return 0;
    for (size_t i = 0; i < wanted; ++i) {
      if ((words[i] & kPresent) == 0) continue;
      if ((words[i] & kOfFile) == 0) return 0;
      ++pages;
    }
    begin += wanted * release.page_bytes;
  }
  return pages;
}

// Called with the loader's lock held: no library comes or goes meanwhile.
int release_object(dl_phdr_info* object, size_t, void* context) {
  Release& release = *static_cast<Release*>(context);
  if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) return 0;  // the kernel's own
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const uintptr_t mask = release.page_bytes - 1;
    const uintptr_t begin = (object->dlpi_addr + segment.p_vaddr) & ~mask;
    const uintptr_t end = (object->dlpi_addr + segment.p_vaddr + segment.p_memsz + mask) & ~mask;
    const size_t pages = unchanged_pages(release, begin, end);
    // It fails for memory that somebody has locked, and shall.
    if (pages > 0 && madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) == 0) {
      release.released += pages * release.page_bytes;
    }
  }
  return 0;
}

}  // namespace

size_t release_idle_code() {
  Release release;
  release.page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  release.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (release.pagemap < 0) return 0;
  dl_iterate_phdr(&release_object, &release);
  close(release.pagemap);
  return release.released;
}

}  // namespace supernova::base
