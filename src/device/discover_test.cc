#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>

#include "device/device.h"
#include "device/diagnosis.h"
#include "device/probes.h"
#include "device/system_tree.h"
#include "support/recorded_tree.h"

namespace supernova::device {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> ids(const std::vector<Device>& devices) {
  std::vector<std::string> ids;
  for (const Device& device : devices) ids.push_back(device.id);
  return ids;
}

// Probes of the tests' own.
LibraryAnswer never_called() { return {}; }
void ask_only(const System& system, std::vector<Device>& devices) {
  const LibraryAnswer answer = system.ask();
  Device device;
  device.kind = "vulkan";
  device.abi_kind = SN_DEVICE_VULKAN;
  device.health = answer.reason;
  if (answer.outcome == LibraryAnswer::Outcome::kTimedOut) {
    device.state = DeviceState::kNotAnswering;
  }
  devices.push_back(device);
}
void find_a_cpu(const System&, std::vector<Device>& devices) {
  devices.emplace_back();
  devices.back().kind = "cpu";
}
void fail_to_look(const System&, std::vector<Device>&) { throw std::runtime_error("oh"); }
std::promise<void> let_go;
void hang(const System&, std::vector<Device>&) { let_go.get_future().wait(); }

TEST(DiscoverWithTest, LibrariesThatHangAreAskedAtOnceAndReported) {
  const std::vector<Probe> probes(4, {"vulkan", SN_DEVICE_VULKAN, &ask_only, &never_called});
  const auto started = std::chrono::steady_clock::now();
  const auto devices = discover_with(probes, "/", {3000ms, {"/bin/sh", "-c", "sleep 600"}});
  const auto took = std::chrono::steady_clock::now() - started;
  EXPECT_THAT(ids(devices), ElementsAre("vulkan:0", "vulkan:1", "vulkan:2", "vulkan:3"));
  for (const Device& device : devices) {
    EXPECT_EQ(device.state, DeviceState::kNotAnswering);
    EXPECT_EQ(device.health, "did not answer within 3 s");
  }
  // What they may take together is what one may take: its limit, and two seconds.
  EXPECT_LT(took, 9s);
}

TEST(DiscoverWithTest, ARecordedTreeAsksNoLibrary) {
  test::RecordedTree tree;
  const auto devices = discover_with({{"vulkan", SN_DEVICE_VULKAN, &ask_only, &never_called}},
                                     tree.root(), {1000ms, {"/bin/sh", "-c", "sleep 600"}});
  EXPECT_EQ(devices.at(0).health, "");
}

TEST(DiscoverWithTest, ALookThatHangsOrFailsCostsNothingElse) {
  const auto devices = discover_with({{"nvidia", SN_DEVICE_NVIDIA, &hang, nullptr},
                                      {"cpu", SN_DEVICE_CPU, &find_a_cpu, nullptr},
                                      {"amd", SN_DEVICE_AMD, &fail_to_look, nullptr}},
                                     "/", {1ms, {}});
  let_go.set_value();
  EXPECT_THAT(ids(devices), ElementsAre("cpu", "nvidia:0", "amd:0"));
  EXPECT_EQ(devices[1].state, DeviceState::kNotAnswering);
  EXPECT_THAT(devices[1].health, HasSubstr("a driver hangs"));
  EXPECT_EQ(devices[2].state, DeviceState::kNotAnswering);
  EXPECT_THAT(devices[2].health, HasSubstr("failed: oh"));
}

TEST(DiscoverTest, AnEmptyOrAbsentTreeHasNoDevices) {
  test::RecordedTree tree;
  EXPECT_TRUE(discover(tree.root()).empty());
  EXPECT_TRUE(discover(tree.root() + "/no/such/folder").empty());
}

TEST(DiscoverTest, HostileTreesAreHarmless) {
  test::RecordedTree tree;
  tree.add_pci("0000:01:00.0", "0x10de", "0x2684", "0x030000", "nvidia");
  // A loop, and files that never end, are no files, or make no sense.
  tree.link("sys/bus/pci/devices/0000:02:00.0", "0000:02:00.0");
  tree.link("sys/bus/usb/devices", "..");
  tree.link("sys/bus/pci/devices/0000:01:00.0/numa_node.loop", ".");
  tree.link("proc/meminfo", "/dev/zero");
  tree.link("sys/class/kfd/kfd/topology/nodes", "../../../kfd");
  std::filesystem::create_directories(tree.path("etc"));
  ASSERT_EQ(::mkfifo(tree.path("etc/group").c_str(), 0600), 0);
  std::filesystem::create_directories(tree.path("proc/device-tree"));
  ASSERT_EQ(::mkfifo(tree.path("proc/device-tree/model").c_str(), 0600), 0);
  tree.write("proc/device-tree/compatible", "nvidia,tegra");
  tree.write("sys/bus/pci/devices/0000:03:00.0/vendor", std::string(5'000'000, 'x'));
  tree.write("sys/bus/pci/devices/0000:04:00.0/vendor", "0xffffffffffffffffffffffff\n");
  tree.write("sys/bus/pci/devices/0000:05:00.0/vendor", std::string("\0\n\x1b[31m", 7));
  ASSERT_EQ(::mkfifo(tree.path("etc/pci.ids").c_str(), 0600), 0);
  tree.link("usr/share/misc/pci.ids", "../../../etc/pci.ids");
  tree.link("usr/share/hwdata/pci.ids", "/dev/zero");
  tree.write("sys/bus/usb/devices.txt", "\xff\xfe");
  tree.write("proc/driver/nvidia/version", std::string(3'000'000, '9'));
  tree.write("proc/driver/nvidia/gpus/0000:01:00.0/information",
             "Model:\nGPU UUID:" + std::string(100'000, 'u') + "\nDevice Minor: \xff\xff\n");
  tree.write("proc/cpuinfo", std::string("processor : \0\nprocessor", 23));
  const auto devices = discover(tree.root());
  ASSERT_FALSE(devices.empty());
  for (const Device& device : devices) {
    EXPECT_LE(device.uuid.size(), 256U);
    EXPECT_EQ(device.model.find('\x1b'), std::string::npos);
  }
  EXPECT_THAT(ids(devices), ::testing::Contains("nvidia:0"));
}

TEST(ListFolderTest, AHugeFolderIsCut) {
  test::RecordedTree tree;
  std::filesystem::create_directories(tree.path("dev"));
  for (int i = 0; i < 4200; ++i) std::ofstream(tree.path("dev/" + std::to_string(i)));
  EXPECT_EQ(list_folder(tree.root(), "dev").size(), 4096U);
}

TEST(NumberDevicesTest, ByKindThenAddressAsANumber) {
  std::vector<Device> devices(5);
  const char* addresses[] = {"usb:1-10", "usb:1-2", "", "pci:0000:0a:00.0", "pci:0000:02:00.0"};
  for (size_t i = 0; i < devices.size(); ++i) {
    devices[i].address = addresses[i];
    devices[i].abi_kind = i < 2 ? SN_DEVICE_EDGETPU : i == 2 ? SN_DEVICE_CPU : SN_DEVICE_NVIDIA;
    devices[i].kind = device_kind_name(devices[i].abi_kind);
  }
  number_devices(devices);
  EXPECT_THAT(ids(devices), ElementsAre("cpu", "nvidia:0", "nvidia:1", "edgetpu:0", "edgetpu:1"));
  EXPECT_EQ(devices[1].address, "pci:0000:02:00.0");
  EXPECT_EQ(devices[3].address, "usb:1-2");
}

TEST(SameHardwareTest, IsWhatHasTheSameAddress) {
  std::vector<Device> devices(3);
  devices[0].id = "nvidia:0";
  devices[1].id = "vulkan:0";
  devices[2].id = "vulkan:1";
  devices[0].address = devices[1].address = "pci:0000:01:00.0";
  EXPECT_THAT(same_hardware(devices, devices[1]), ElementsAre("nvidia:0"));
  EXPECT_TRUE(same_hardware(devices, devices[2]).empty());
}

TEST(NaturalLessTest, NumbersCountAsNumbers) {
  EXPECT_TRUE(natural_less("renderD9", "renderD128"));
  EXPECT_FALSE(natural_less("renderD128", "renderD9"));
  EXPECT_TRUE(natural_less("1-2", "1-2.1"));
  EXPECT_FALSE(natural_less("a", "a"));
  EXPECT_TRUE(natural_less("a01", "a1") != natural_less("a1", "a01"));
}

TEST(MayOpenTest, AsTheKernelDecides) {
  const FileAccess node{0660, 0, 44};
  EXPECT_TRUE(may_open(node, {0, {}}));
  EXPECT_TRUE(may_open(node, {1000, {100, 44}}));
  EXPECT_FALSE(may_open(node, {1000, {100}}));
  EXPECT_TRUE(may_open({0666, 0, 44}, {1000, {100}}));
  EXPECT_FALSE(may_open({0640, 0, 44}, {1000, {44}}));
  // The owner's bits alone count for the owner.
  EXPECT_FALSE(may_open({0066, 1000, 44}, {1000, {44}}));
}

TEST(DeviceJsonTest, HasEveryMemberWhateverIsKnown) {
  Device device;
  device.id = "cpu";
  device.kind = "cpu";
  EXPECT_EQ(devices_json({device}),
            R"({"devices":[{"id":"cpu","kind":"cpu","ordinal":0,"model":null,"state":"usable",)"
            R"("engine":null,"missing":null,"health":null,"address":null,"same_as":[],)"
            R"("emulated":false,"uuid":null,"vendor_id":null,"product_id":null,"driver":null,)"
            R"("driver_version":null,"nodes":[],"memory_bytes":null,"memory_free_bytes":null,)"
            R"("cores":null,"cores_usable":null,"features":[],"numa_nodes":null,)"
            R"("numa_node":null}]})");
  EXPECT_EQ(devices_json({}), R"({"devices":[]})");
}

}  // namespace
}  // namespace supernova::device
