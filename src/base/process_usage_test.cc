#include "base/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "base/sanitized.h"

namespace supernova::base {
namespace {

class ProcessUsageTest : public testing::Test {
 protected:
  ProcessUsageTest() : root_(testing::TempDir() + "process_usage_" + std::to_string(getpid())) {
    std::filesystem::create_directories(root_ + "/self/fd");
  }
  ~ProcessUsageTest() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(root_ + "/" + name) << content;
  }
  std::string root_;
};

TEST_F(ProcessUsageTest, ReadsWhatTheKernelWrites) {
  write("self/stat",
        "12 (a )name ( R) S 1 12 12 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 7 0 1000 40960 5 "
        "18446744073709551615 0 0\n");
  write("stat", "cpu  10 20 30 400 50 6 7 8 9 10\ncpu0 1 1 1 1\nbtime 1700000000\n");
  write("meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    600 kB\n");
  write("self/fd/0", "");
  write("self/fd/1", "");
  const ProcessUsage process = process_usage(root_);
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_EQ(process.cpu_seconds, 300 / ticks);
  EXPECT_EQ(process.threads, 7U);
  EXPECT_EQ(process.start_time_seconds, 1.7e9 + 1000 / ticks);
  EXPECT_EQ(process.virtual_bytes, 40960U);
  EXPECT_EQ(process.resident_bytes, 5 * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(process.open_descriptors, 2U);
  const MachineUsage machine = machine_usage(root_);
  EXPECT_EQ(machine.memory_total_bytes, 1'024'000U);
  EXPECT_EQ(machine.memory_available_bytes, 614'400U);
  EXPECT_EQ(machine.cpu_busy_ticks, 81U);
  EXPECT_EQ(machine.cpu_total_ticks, 531U);
}

TEST_F(ProcessUsageTest, WhatIsMissingOrBrokenIsZero) {
  EXPECT_EQ(machine_usage(root_ + "/none").memory_total_bytes, 0U);
  EXPECT_EQ(process_usage(root_ + "/none").open_descriptors, 0U);
  write("self/stat", "12 (broken");
  write("stat", "cpu x y\n");
  write("meminfo", "MemTotal: many kB\n");
  EXPECT_EQ(process_usage(root_).resident_bytes, 0U);
  EXPECT_EQ(machine_usage(root_).cpu_total_ticks, 0U);
  EXPECT_EQ(machine_usage(root_).memory_total_bytes, 0U);
}

TEST(ProcessUsage, KnowsThisProcess) {
  const ProcessUsage usage = process_usage();
  EXPECT_GT(usage.resident_bytes, 100'000U);
  EXPECT_GE(usage.threads, 1U);
  EXPECT_GE(usage.open_descriptors, 3U);
  EXPECT_GT(machine_usage().memory_total_bytes, usage.resident_bytes);
}

// One large block and many small ones, on another thread.
TEST(ProcessUsage, TheHeapGrowsByWhatIsAllocated) {
#if SUPERNOVA_SANITIZED
  GTEST_SKIP() << "the sanitizer has an allocator of its own";
#endif
  const uint64_t before = heap_bytes();
  std::vector<std::unique_ptr<char[]>> blocks;
  std::thread([&] {
    blocks.push_back(std::make_unique<char[]>(8 << 20));
    for (int i = 0; i < 10'000; ++i) blocks.push_back(std::make_unique<char[]>(1000));
  }).join();
  EXPECT_GE(heap_bytes(), before + (18 << 20) - (1 << 20));
  blocks.clear();
  EXPECT_LT(heap_bytes(), before + (4 << 20));
}

}  // namespace
}  // namespace supernova::base
