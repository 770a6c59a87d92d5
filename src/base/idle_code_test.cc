#include "base/idle_code.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <typeinfo>

namespace supernova::base {
namespace {

struct Mapping {
  uint64_t resident_kb = 0;
  uint64_t changed_kb = 0;
};

// The mapping that `address` lies in, as the kernel counts it.
Mapping mapping_of(const void* address) {
  std::ifstream file("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  Mapping mapping;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    char* rest = nullptr;
    const uintptr_t begin = std::strtoull(line.c_str(), &rest, 16);
    if (rest != line.c_str() && *rest == '-') {
      inside = begin <= wanted && wanted < std::strtoull(rest + 1, nullptr, 16);
    } else if (inside && line.starts_with("Rss:")) {
      mapping.resident_kb = std::strtoull(line.c_str() + 4, nullptr, 10);
    } else if (inside && line.starts_with("Anonymous:")) {
      mapping.changed_kb = std::strtoull(line.c_str() + 10, nullptr, 10);
    }
  }
  return mapping;
}

// Constants of the program that nothing else touches.
constexpr size_t kPage = 4096;
alignas(kPage) const char kTable[256 * kPage] = {1, 2, 3};
alignas(kPage) const char kChanged[4 * kPage] = {4, 5, 6};

int touch() {
  const volatile char* const table = kTable;  // not from what the compiler knows of it
  int sum = 0;
  for (size_t i = 0; i < sizeof(kTable); i += kPage) sum += table[i];
  return sum;
}

TEST(IdleCode, LeavesTheProcessAndComesBack) {
  const int sum = touch();
  const uint64_t before = mapping_of(kTable).resident_kb;
  ASSERT_GE(before, sizeof(kTable) / 1024);
  EXPECT_GE(release_idle_code(), sizeof(kTable));
  EXPECT_LE(mapping_of(kTable).resident_kb, before - sizeof(kTable) / 2048);
  EXPECT_EQ(touch(), sum);
}

TEST(IdleCode, WhatTheProcessChangedStays) {
  // As a debugger does with a breakpoint.
  char* const page = const_cast<char*>(kChanged) + kPage;
  ASSERT_EQ(mprotect(page, kPage, PROT_READ | PROT_WRITE), 0);
  page[7] = 'x';
  ASSERT_EQ(mprotect(page, kPage, PROT_READ), 0);
  ASSERT_GT(mapping_of(page).changed_kb, 0U);
  release_idle_code();
  EXPECT_EQ(static_cast<const volatile char*>(page)[7], 'x');
  ASSERT_EQ(madvise(page, kPage, MADV_DONTNEED), 0);  // as it was, for other tests
}

TEST(IdleCode, RelocationsStay) {
  // A pointer in memory that is read-only after relocation, in a library.
  const uint64_t before = mapping_of(&typeid(std::bad_alloc)).changed_kb;
  release_idle_code();
  EXPECT_EQ(mapping_of(&typeid(std::bad_alloc)).changed_kb, before);
  EXPECT_STREQ(typeid(std::bad_alloc).name(), "St9bad_alloc");
}

}  // namespace
}  // namespace supernova::base
