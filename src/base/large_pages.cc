#include "base/large_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/text.h"

namespace supernova::base {
namespace {

#ifdef MADV_COLLAPSE
constexpr int kCollapse = MADV_COLLAPSE;
#else
constexpr int kCollapse = 25;  // the C library may be older than the kernel
#endif

constexpr size_t kMostBytes = size_t{2} << 30;
// Places looked at, a few microseconds each: some reserve more addresses than they ever use.
constexpr size_t kMostLooks = size_t{1} << 16;
// The kernel has no large pages left, or none at all.
constexpr int kMostFailures = 8;

// Of /proc/self/pagemap, a word for each page (Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kOfFile = uint64_t{1} << 61;

struct Range {
  uintptr_t begin = 0;
  uintptr_t end = 0;
};

// 0 where they are not to be used.
size_t large_page_bytes() {
  const std::string folder = "/sys/kernel/mm/transparent_hugepage/";
  std::string enabled;
  size_t bytes = 0;
  if (!std::getline(std::ifstream(folder + "enabled"), enabled)) return 0;
  if (enabled.find("[never]") != std::string::npos) return 0;
  std::ifstream(folder + "hpage_pmd_size") >> bytes;
  return bytes;
}

// Private memory without a file behind it, that may be written. Stacks of other threads are among
// it, and hardly ever resident. Small ranges come first: the largest are addresses that somebody
// reserved.
std::vector<Range> own_memory() {
  std::vector<Range> ranges;
  std::ifstream file("/proc/self/maps");
  for (std::string line; std::getline(file, line);) {
    Range range;
    std::array<char, 5> rights{};
    uint64_t inode = 0;
    int name = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %" SCNu64 " %n",
                    &range.begin, &range.end, rights.data(), &inode, &name) < 4) {
      continue;
    }
    const std::string_view what = std::string_view(line).substr(static_cast<size_t>(name));
    if (inode == 0 && std::string_view(rights.data()) == "rw-p" &&
        (what.empty() || what == "[heap]")) {
      ranges.push_back(range);
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.end - a.begin < b.end - b.begin; });
  return ranges;
}

class Collapse {
 public:
  Collapse(int pagemap, size_t large)
      : pagemap_(pagemap),
        page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
        words_(large / page_) {}

  // False when there is no use in going on.
  bool at(uintptr_t begin) {
    if (++looks_ > kMostLooks) return false;
    if (!is_nearly_resident(begin)) return true;
    const size_t bytes = words_.size() * page_;
    // A range that is another one's by now is no worse for it; one that is gone fails.
    if (madvise(reinterpret_cast<void*>(begin), bytes, kCollapse) == 0) {
      large_bytes_ += bytes;
      failures_ = 0;
    } else {
      ++failures_;
    }
    return large_bytes_ < kMostBytes && failures_ < kMostFailures;
  }
  size_t large_bytes() const { return large_bytes_; }

 private:
  // All but an eighth.
  bool is_nearly_resident(uintptr_t begin) {
    const size_t bytes = words_.size() * sizeof(uint64_t);
    const auto at = static_cast<off_t>(begin / page_ * sizeof(uint64_t));
    if (pread(pagemap_, words_.data(), bytes, at) != static_cast<ssize_t>(bytes)) return false;
    size_t present = 0;
    for (const uint64_t word : words_) {
      if ((word & kPresent) != 0 && (word & kOfFile) == 0) ++present;
    }
    return present >= words_.size() - words_.size() / 8;
  }

  int pagemap_;
  size_t page_;
  std::vector<uint64_t> words_;
  size_t looks_ = 0;
  size_t large_bytes_ = 0;
  int failures_ = 0;
};

size_t collapse_all(int pagemap, size_t large) {
  Collapse collapse(pagemap, large);
  for (const Range& range : own_memory()) {
    for (uintptr_t at = (range.begin + large - 1) / large * large;
         at < range.end && range.end - at >= large; at += large) {
      if (!collapse.at(at)) return collapse.large_bytes();
    }
  }
  return collapse.large_bytes();
}

}  // namespace

size_t use_large_pages() {
  const size_t large = large_page_bytes();
  if (large < static_cast<size_t>(sysconf(_SC_PAGESIZE))) return 0;
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return 0;
  const size_t bytes = collapse_all(pagemap, large);
  close(pagemap);
  return bytes;
}

}  // namespace supernova::base
