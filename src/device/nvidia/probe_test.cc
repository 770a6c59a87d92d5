#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device/probes.h"
#include "support/recorded_tree.h"

namespace supernova::device::nvidia {

Probe make_probe();

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Outcome = LibraryAnswer::Outcome;

class NvidiaProbeTest : public ::testing::Test {
 protected:
  // A server with two GPUs and the driver, all in order.
  void add_server() {
    tree_.add_pci("0000:17:00.0", "0x10de", "0x20b5", "0x030200", "nvidia");
    tree_.add_pci("0000:ca:00.0", "0x10de", "0x20b5", "0x030200", "nvidia");
    tree_.add_pci("0000:ca:00.1", "0x10de", "0x1aef", "0x040300", "snd_hda_intel");
    tree_.add(R"(
      proc/driver/nvidia/version = NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\nGCC version:  gcc version 12
      proc/driver/nvidia/gpus/0000:17:00.0/information = Model: \t\t NVIDIA A100 80GB PCIe\nIRQ:   \t\t 188\nGPU UUID: \t GPU-aaaa\nDevice Minor: \t 0
      proc/driver/nvidia/gpus/0000:ca:00.0/information = Model: \t\t NVIDIA A100 80GB PCIe\nGPU UUID: \t GPU-????????-????\nDevice Minor: \t 1
      dev/nvidia0
      dev/nvidia1
      dev/nvidiactl
      dev/nvidia-uvm
      usr/lib/x86_64-linux-gnu/libcuda.so.1
    )");
  }
  std::vector<Device> seen(std::function<LibraryAnswer()> ask = {}) {
    return tree_.seen_by(make_probe(), std::move(ask));
  }
  test::RecordedTree tree_;
};

TEST_F(NvidiaProbeTest, AServerWithTwo) {
  add_server();
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].id, "nvidia:0");
  EXPECT_EQ(devices[0].address, "pci:0000:17:00.0");
  EXPECT_EQ(devices[0].model, "NVIDIA A100 80GB PCIe");
  EXPECT_EQ(devices[0].uuid, "GPU-aaaa");
  EXPECT_EQ(devices[0].driver, "nvidia");
  EXPECT_EQ(devices[0].driver_version, "535.129.03");
  EXPECT_EQ(devices[0].engine, "onnxruntime");
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  EXPECT_EQ(devices[0].numa_node, 0);
  EXPECT_EQ(devices[1].id, "nvidia:1");
  EXPECT_EQ(devices[1].uuid, "");  // the driver does not know it yet
  EXPECT_THAT(devices[1].nodes, ElementsAre("/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"));
}

TEST_F(NvidiaProbeTest, TheLibrarySaysMore) {
  add_server();
  const auto devices = seen([] {
    return LibraryAnswer{Outcome::kAnswered,
                         "",
                         {{{"slot", "0000:ca:00.0"},
                           {"uuid", "GPU-bbbb"},
                           {"memory", "85899345920"},
                           {"free", "85000000000"},
                           {"capability", "8.0"},
                           {"ecc", "3"}}}};
  });
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[1].uuid, "GPU-bbbb");
  EXPECT_EQ(devices[1].memory_bytes, 85899345920U);
  EXPECT_EQ(devices[1].memory_free_bytes, 85000000000U);
  EXPECT_THAT(devices[1].features, Contains("sm_8.0"));
  EXPECT_EQ(devices[1].state, DeviceState::kUnhealthy);
  EXPECT_THAT(devices[1].health, HasSubstr("uncorrectable memory errors since the start: 3"));
}

TEST_F(NvidiaProbeTest, ADriverTooOldForTheRuntimeIsNoted) {
  add_server();
  EXPECT_EQ(seen().at(0).state, DeviceState::kUsable);
  EXPECT_THAT(seen().at(0).health, HasSubstr("535.129.03, is older than 580, which CUDA 13 needs"));
  tree_.write("proc/driver/nvidia/version",
              "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:01:53\n");
  EXPECT_EQ(seen().at(0).driver_version, "580.65.06");
  EXPECT_EQ(seen().at(0).health, "");
}

TEST_F(NvidiaProbeTest, ALibraryThatHangsIsReported) {
  add_server();
  for (const Device& device : seen([] {
         return LibraryAnswer{Outcome::kTimedOut, "did not answer within 2 s", {}};
       })) {
    EXPECT_EQ(device.state, DeviceState::kNotAnswering);
    EXPECT_THAT(device.health, HasSubstr("(NVML) did not answer within 2 s"));
  }
}

TEST_F(NvidiaProbeTest, ALibraryOfAnotherVersion) {
  add_server();
  const auto devices = seen([] {
    return LibraryAnswer{Outcome::kRefused, "Driver/library version mismatch", {}};
  });
  EXPECT_EQ(devices.at(0).state, DeviceState::kUnusable);
  EXPECT_THAT(devices.at(0).missing, HasSubstr("version mismatch"));
  EXPECT_THAT(devices.at(0).missing, HasSubstr("535.129.03"));
}

TEST_F(NvidiaProbeTest, WithoutADriver) {
  tree_.add_pci("0000:01:00.0", "0x10de", "0x2684", "0x030000", "");
  tree_.write("usr/share/misc/pci.ids",
              "10de  NVIDIA Corporation\n\t2684  AD102 [GeForce RTX 4090]\n");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "AD102 [GeForce RTX 4090]");
  EXPECT_EQ(devices[0].state, DeviceState::kUnusable);
  EXPECT_THAT(devices[0].missing, HasSubstr("no driver is bound to it: install NVIDIA's driver"));
  EXPECT_EQ(devices[0].product_id, 0x2684U);
}

TEST_F(NvidiaProbeTest, TheDriverNouveauIsNotEnough) {
  tree_.add_pci("0000:01:00.0", "0x10de", "0x2684", "0x030000", "nouveau");
  EXPECT_THAT(seen().at(0).missing, HasSubstr("nouveau, which can't be computed with"));
}

TEST_F(NvidiaProbeTest, AContainerWithoutTheDevice) {
  add_server();
  tree_.add(".dockerenv");
  for (const char* path : {"dev/nvidia0", "dev/nvidiactl", "dev/nvidia-uvm"}) tree_.remove(path);
  tree_.remove("usr/lib/x86_64-linux-gnu/libcuda.so.1");
  EXPECT_THAT(seen().at(0).missing,
              HasSubstr("/dev/nvidia0 is not in this container: start it with --gpus all"));
  EXPECT_THAT(seen().at(0).missing,
              HasSubstr("libcuda.so.1 is not installed: start the container"));
}

TEST_F(NvidiaProbeTest, AGpuThatOnlyTheLibraryTellsOf) {
  tree_.add("dev/dxg");
  const auto devices = seen([] {
    return LibraryAnswer{Outcome::kAnswered,
                         "",
                         {{{"slot", "0000:01:00.0"}, {"name", "GPU"}, {"ids", "646189278"}}}};
  });
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].address, "pci:0000:01:00.0");
  EXPECT_EQ(devices[0].vendor_id, 0x10deU);
  EXPECT_EQ(devices[0].product_id, 0x2684U);
}

TEST_F(NvidiaProbeTest, UnderWslTheNodeIsAnother) {
  tree_.add("dev/dxg");
  const auto ask = [] { return LibraryAnswer{Outcome::kAnswered, "", {{{"driver", "580.1"}}}}; };
  EXPECT_THAT(seen(ask).at(0).missing, HasSubstr("libcuda.so.1 is not installed"));
  tree_.add("usr/lib/wsl/lib/libcuda.so.1");
  EXPECT_EQ(seen(ask).at(0).state, DeviceState::kUsable) << seen(ask).at(0).missing;
  EXPECT_THAT(seen(ask).at(0).nodes, ElementsAre("/dev/dxg"));
}

TEST_F(NvidiaProbeTest, GpusWhoseBusIsNotToBeSeen) {
  add_server();
  tree_.remove("sys");
  auto devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[0].address, "pci:0000:17:00.0");
  EXPECT_EQ(devices[0].model, "NVIDIA A100 80GB PCIe");
  EXPECT_EQ(devices[0].driver_version, "535.129.03");
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  tree_.remove("proc");
  devices = seen();
  ASSERT_EQ(devices.size(), 2U);
  EXPECT_EQ(devices[1].address, "/dev/nvidia1");
  EXPECT_THAT(devices[1].nodes, ElementsAre("/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"));
}

TEST_F(NvidiaProbeTest, TheRemedyForANodeNamesItsNumber) {
  add_server();
  tree_.remove("dev/nvidia1");
  EXPECT_THAT(seen().at(1).missing, HasSubstr("nvidia-modprobe -u -c 1"));
}

TEST_F(NvidiaProbeTest, AJetsonWithItsAccelerators) {
  tree_.add(R"(
    proc/device-tree/model = NVIDIA Jetson AGX Orin Developer Kit\0
    proc/device-tree/compatible = nvidia,p3737-0000+p3701-0005\0nvidia,p3701-0005\0nvidia,tegra234\0
    proc/meminfo = MemTotal:       64349956 kB\nMemFree: 1 kB\nMemAvailable:   60000000 kB
    etc/nv_tegra_release = # R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic
    sys/bus/platform/devices/17000000.gpu/driver -> ../../../../bus/platform/drivers/gk20a
    sys/bus/platform/devices/15880000.nvdla0/uevent
    sys/bus/platform/devices/158c0000.nvdla1/uevent
    dev/nvmap
    dev/nvgpu/igpu0/ctrl
    dev/nvhost-nvdla0
    usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1
  )");
  const auto devices = seen();
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].model, "NVIDIA Jetson AGX Orin Developer Kit");
  EXPECT_EQ(devices[0].address, "platform:17000000.gpu");
  EXPECT_EQ(devices[0].driver, "gk20a");
  EXPECT_EQ(devices[0].driver_version, "36.4.3");
  EXPECT_THAT(devices[0].features, ElementsAre("dla0", "dla1", "tegra234"));
  EXPECT_THAT(devices[0].nodes, Contains("/dev/nvhost-nvdla0"));
  EXPECT_EQ(devices[0].memory_bytes, 64349956ULL * 1024);
  EXPECT_EQ(devices[0].state, DeviceState::kUsable) << devices[0].missing;
  tree_.remove("dev/nvmap");
  EXPECT_THAT(seen().at(0).missing, HasSubstr("/dev/nvmap is missing: install NVIDIA's JetPack"));
}

TEST_F(NvidiaProbeTest, AnotherBoardIsNone) {
  tree_.add("proc/device-tree/compatible = raspberrypi,5-model-b\\0brcm,bcm2712\\0");
  EXPECT_TRUE(seen().empty());
}

}  // namespace
}  // namespace supernova::device::nvidia
