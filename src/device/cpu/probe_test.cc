#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::cpu {

Probe make_probe();

namespace {

class CpuProbeTest : public ::testing::Test {
 protected:
  void record(const std::string& path, std::string_view content) { tree_.write(path, content); }
  std::vector<Device> probed() { return tree_.seen_by(make_probe()); }

  test::RecordedTree tree_;
};

constexpr char kX86[] =
    "processor\t: 0\nmodel name\t: Example CPU @ 2.50GHz\nflags\t\t: fpu sse4_2 avx2 "
    "avx512_vnni\n\n"
    "processor\t: 1\nmodel name\t: Example CPU @ 2.50GHz\nflags\t\t: fpu sse4_2 avx2 "
    "avx512_vnni\n\n";

TEST_F(CpuProbeTest, X86WithACgroupV2QuotaOfTheParent) {
  record("proc/cpuinfo", kX86);
  record("proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\n");
  record("proc/self/cgroup", "0::/pod/container\n");
  record("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  record("sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
  record("sys/fs/cgroup/pod/memory.max", "1073741824\n");
  record("sys/devices/system/node/node0/cpulist", "0-1\n");
  record("sys/devices/system/node/online", "0\n");
  const auto devices = probed();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "Example CPU @ 2.50GHz");
  EXPECT_EQ(devices[0].cores, 2);
  EXPECT_DOUBLE_EQ(devices[0].cores_usable, 1.5);
  EXPECT_EQ(devices[0].memory_bytes, 1073741824U);
  EXPECT_EQ(devices[0].numa_nodes, 1);
  EXPECT_THAT(devices[0].features, ::testing::ElementsAre("avx2", "avx512_vnni", "sse4_2"));
}

TEST_F(CpuProbeTest, CgroupV1Quota) {
  record("proc/cpuinfo", kX86);
  record("proc/self/cgroup", "4:cpu,cpuacct:/box\n3:memory:/box\n");
  record("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "50000\n");
  record("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  record("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  record("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  record("proc/meminfo", "MemTotal:       8000000 kB\n");
  record("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "536870912\n");
  record("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_DOUBLE_EQ(probed().at(0).cores_usable, 0.5);
  EXPECT_EQ(probed().at(0).memory_bytes, 536870912U);
}

TEST_F(CpuProbeTest, AnArm64Board) {
  record("proc/cpuinfo",
         "processor\t: 0\nFeatures\t: fp asimd asimddp crc32\nCPU implementer\t: 0x41\n"
         "CPU part\t: 0xd0b\n\nprocessor\t: 1\nFeatures\t: fp asimd asimddp crc32\n"
         "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n");
  record("proc/device-tree/model", std::string_view("Example Board 5\0", 16));
  const auto devices = probed();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "Example Board 5");
  EXPECT_EQ(devices[0].cores, 2);
  EXPECT_THAT(devices[0].features, ::testing::ElementsAre("asimd", "asimddp"));
}

TEST_F(CpuProbeTest, NothingRecordedIsNoDevice) { EXPECT_TRUE(probed().empty()); }

TEST_F(CpuProbeTest, AMachineOfAThousandCores) {
  std::string info;
  for (int core = 0; core < 1000; ++core) {
    info += "processor\t: 0\nflags\t\t: avx2" + std::string(2500, ' ') + "\n\n";
  }
  record("proc/cpuinfo", info);
  EXPECT_EQ(probed().at(0).cores, 1000);
}

TEST_F(CpuProbeTest, LimitsThatMakeNoSense) {
  record("proc/cpuinfo", "processor : 0\nmodel name : a\x1b[31mb\xff\n");
  std::string deep = "0::";
  for (int i = 0; i < 500'000; ++i) deep += "/a";
  record("proc/self/cgroup", deep + "\n");
  record("sys/fs/cgroup/memory.max", "1e308\n");
  record("sys/fs/cgroup/cpu.max", "1e308 1e-308\n");
  const auto devices = probed();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "a[31mb");
  EXPECT_EQ(devices[0].memory_bytes, 0U);
  EXPECT_EQ(devices[0].cores_usable, 1);
}

}  // namespace
}  // namespace supernova::device::cpu
