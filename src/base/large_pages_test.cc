#include "base/large_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

namespace supernova::base {
namespace {

constexpr size_t kLarge = size_t{2} << 20;
constexpr size_t kPage = 4096;

// Of the mapping that `address` lies in.
uint64_t kb_on_large_pages(const void* address) {
  std::ifstream file("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    char* rest = nullptr;
    const uintptr_t begin = std::strtoull(line.c_str(), &rest, 16);
    if (rest != line.c_str() && *rest == '-') {
      inside = begin <= wanted && wanted < std::strtoull(rest + 1, nullptr, 16);
    } else if (inside && line.starts_with("AnonHugePages:")) {
      return std::strtoull(line.c_str() + std::strlen("AnonHugePages:"), nullptr, 10);
    }
  }
  return 0;
}

// Two large pages of memory that the kernel was asked not to make large by itself.
class Memory {
 public:
  Memory() {
    mapped_ = mmap(nullptr, 3 * kLarge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const auto at = (reinterpret_cast<uintptr_t>(mapped_) + kLarge - 1) / kLarge * kLarge;
    bytes_ = reinterpret_cast<char*>(at);
    mprotect(bytes_, 2 * kLarge, PROT_READ | PROT_WRITE);
  }
  ~Memory() { munmap(mapped_, 3 * kLarge); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  char* bytes() { return bytes_; }

 private:
  void* mapped_;
  char* bytes_;
};

bool kernel_collapses() {
  Memory memory;
  std::memset(memory.bytes(), 1, kLarge);
  return madvise(memory.bytes(), kLarge, 25) == 0 && kb_on_large_pages(memory.bytes()) > 0;
}

std::string enabled() {
  std::string text;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), text);
  return text;
}

class LargePages : public testing::Test {
 protected:
  void SetUp() override {
    if (enabled().find("[madvise]") == std::string::npos || !kernel_collapses()) {
      GTEST_SKIP() << "the kernel has no large pages to give, or gives them unasked";
    }
  }
};

TEST_F(LargePages, WhatIsResidentMovesToThemAsItIs) {
  Memory memory;
  for (size_t i = 0; i < 2 * kLarge; ++i) memory.bytes()[i] = static_cast<char>(i * 7 + i / kPage);
  ASSERT_EQ(kb_on_large_pages(memory.bytes()), 0U);
  EXPECT_GE(use_large_pages(), 2 * kLarge);
  EXPECT_EQ(kb_on_large_pages(memory.bytes()), 2 * kLarge / 1024);
  for (size_t i = 0; i < 2 * kLarge; ++i) {
    ASSERT_EQ(memory.bytes()[i], static_cast<char>(i * 7 + i / kPage)) << i;
  }
}

TEST_F(LargePages, WhatIsHardlyUsedStaysSmall) {
  Memory memory;
  for (size_t i = 0; i < kLarge; i += 2 * kPage) memory.bytes()[i] = 1;
  use_large_pages();
  EXPECT_EQ(kb_on_large_pages(memory.bytes()), 0U);
}

TEST_F(LargePages, WhatMayNotBeWrittenStays) {
  Memory memory;
  std::memset(memory.bytes(), 1, 2 * kLarge);
  ASSERT_EQ(mprotect(memory.bytes(), 2 * kLarge, PROT_READ), 0);
  use_large_pages();
  EXPECT_EQ(kb_on_large_pages(memory.bytes()), 0U);
}

}  // namespace
}  // namespace supernova::base
