// The few functions and structures of the Vulkan 1.1 specification that name physical devices.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>

#include "base/text.h"
#include "device/dynamic_library.h"
#include "device/vulkan/vulkan.h"

namespace supernova::device::vulkan {
namespace {

using Outcome = LibraryAnswer::Outcome;
using Instance = struct InstanceTag*;
using PhysicalDevice = struct PhysicalDeviceTag*;
using AnyFunction = void (*)();

constexpr uint32_t kMostDevices = 64;
constexpr uint32_t kMostExtensions = 2048;
constexpr uint32_t kVersion11 = (1U << 22U) | (1U << 12U);
constexpr uint32_t kDeviceLocal = 1;
constexpr int kIncomplete = 5;

// VkStructureType
constexpr int32_t kApplicationInfo = 0;
constexpr int32_t kInstanceCreateInfo = 1;
constexpr int32_t kProperties2 = 1000059001;
constexpr int32_t kIdProperties = 1000071004;
constexpr int32_t kDriverProperties = 1000196000;
constexpr int32_t kPciBusInfo = 1000212000;

struct ApplicationInfo {
  int32_t type = kApplicationInfo;
  const void* next = nullptr;
  const char* name = "supernova";
  uint32_t version = 0;
  const char* engine = nullptr;
  uint32_t engine_version = 0;
  uint32_t api_version = kVersion11;
};
struct InstanceCreateInfo {
  int32_t type = kInstanceCreateInfo;
  const void* next = nullptr;
  uint32_t flags = 0;
  const ApplicationInfo* application = nullptr;
  uint32_t layer_count = 0;
  const char* const* layers = nullptr;
  uint32_t extension_count = 0;
  const char* const* extensions = nullptr;
};
struct Properties {
  uint32_t api_version;
  uint32_t driver_version;
  uint32_t vendor;
  uint32_t device;
  int32_t type;
  char name[256];
  uint8_t cache_uuid[16];
  // Limits and sparse properties follow: 536 bytes, and room for more.
  alignas(8) uint8_t rest[1024];
};
struct Chained {
  int32_t type;
  void* next;
};
struct Properties2 {
  Chained head{kProperties2, nullptr};
  Properties properties{};
};
struct IdProperties {
  Chained head{kIdProperties, nullptr};
  uint8_t device_uuid[16]{};
  uint8_t driver_uuid[16]{};
  uint8_t device_luid[8]{};
  uint32_t node_mask = 0;
  uint32_t luid_valid = 0;
};
struct DriverProperties {
  Chained head{kDriverProperties, nullptr};
  int32_t id = 0;
  char name[256]{};
  char info[256]{};
  uint8_t conformance[4]{};
};
struct PciBusInfo {
  Chained head{kPciBusInfo, nullptr};
  uint32_t domain = 0;
  uint32_t bus = 0;
  uint32_t device = 0;
  uint32_t function = 0;
};
struct MemoryType {
  uint32_t flags;
  uint32_t heap;
};
struct MemoryHeap {
  uint64_t size;
  uint32_t flags;
};
struct MemoryProperties {
  uint32_t type_count;
  MemoryType types[32];
  uint32_t heap_count;
  MemoryHeap heaps[16];
};
struct ExtensionProperties {
  char name[256];
  uint32_t version;
};

struct Features {
  uint32_t before[33];
  uint32_t dynamic_indexing[4];  // of uniform buffers, sampled images, storage buffers and images
  uint32_t after[64];            // 18, and room for more
};

struct Functions {
  int (*devices)(Instance, uint32_t*, PhysicalDevice*);
  void (*features)(PhysicalDevice, Features*);
  void (*properties)(PhysicalDevice, Properties*);
  void (*properties2)(PhysicalDevice, Properties2*);
  void (*memory)(PhysicalDevice, MemoryProperties*);
  int (*extensions)(PhysicalDevice, const char*, uint32_t*, ExtensionProperties*);
  void (*destroy)(Instance, const void*);
};

bool has_extension(const std::vector<ExtensionProperties>& all, std::string_view name) {
  for (const ExtensionProperties& extension : all) {
    if (name == extension.name) return true;
  }
  return false;
}

std::vector<ExtensionProperties> extensions_of(const Functions& vk, PhysicalDevice device) {
  uint32_t count = 0;
  if (vk.extensions == nullptr || vk.extensions(device, nullptr, &count, nullptr) != 0) return {};
  count = std::min(count, kMostExtensions);
  std::vector<ExtensionProperties> all(count);
  const int result = vk.extensions(device, nullptr, &count, all.data());
  all.resize(result == 0 || result == kIncomplete ? std::min<size_t>(count, all.size()) : 0);
  return all;
}

std::string hex(const uint8_t (&bytes)[16]) {
  std::string out;
  for (size_t i = 0; i < sizeof(bytes); ++i) {
    char two[4];
    std::snprintf(two, sizeof(two), "%02x", bytes[i]);
    out += two;
    if (i == 3 || i == 5 || i == 7 || i == 9) out += '-';
  }
  return out;
}

template <size_t N>
std::string text_of(const char (&text)[N]) {
  return std::string(text, ::strnlen(text, N));
}

// What needs Vulkan 1.1 of the device.
void ask_more(const Functions& vk, PhysicalDevice device, Record& record) {
  const std::vector<ExtensionProperties> extensions = extensions_of(vk, device);
  Properties2 all;
  IdProperties ids;
  DriverProperties driver;
  PciBusInfo bus;
  all.head.next = &ids;
  void** next = &ids.head.next;
  const bool has_driver = has_extension(extensions, "VK_KHR_driver_properties");
  const bool has_bus = has_extension(extensions, "VK_EXT_pci_bus_info");
  if (has_driver) {
    *next = &driver;
    next = &driver.head.next;
  }
  if (has_bus) *next = &bus;
  vk.properties2(device, &all);
  record["uuid"] = hex(ids.device_uuid);
  if (has_driver) {
    record["driver"] = text_of(driver.name);
    record["driver_info"] = text_of(driver.info);
  }
  if (has_bus) {
    char slot[64];
    std::snprintf(slot, sizeof(slot), "%04x:%02x:%02x.%x", bus.domain, bus.bus, bus.device,
                  bus.function);
    record["slot"] = slot;
  }
}

Record ask_device(const Functions& vk, PhysicalDevice device) {
  Properties properties{};
  vk.properties(device, &properties);
  Record record{{"name", text_of(properties.name)},
                {"type", base::str_cat(properties.type)},
                {"vendor", base::str_cat(properties.vendor)},
                {"device", base::str_cat(properties.device)},
                {"version", base::str_cat(properties.api_version >> 22U & 0x7fU, ".",
                                          properties.api_version >> 12U & 0x3ffU, ".",
                                          properties.api_version & 0xfffU)}};
  if (vk.memory != nullptr) {
    MemoryProperties memory{};
    vk.memory(device, &memory);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < memory.heap_count && i < 16; ++i) {
      if ((memory.heaps[i].flags & kDeviceLocal) != 0) bytes += memory.heaps[i].size;
    }
    record["memory"] = base::str_cat(bytes);
  }
  if (vk.features != nullptr) {
    Features features{};
    vk.features(device, &features);
    const auto& has = features.dynamic_indexing;
    if (std::find(std::begin(has), std::end(has), 0U) != std::end(has)) {
      record["no_dynamic_indexing"] = "1";
    }
  }
  if (vk.properties2 != nullptr && properties.api_version >= kVersion11) {
    ask_more(vk, device, record);
  }
  return record;
}

}  // namespace

LibraryAnswer ask_loader() {
  const DynamicLibrary library({"libvulkan.so.1"});
  if (!library.is_open()) return {Outcome::kAbsent, "libvulkan.so.1", {}};
  AnyFunction (*find)(Instance, const char*) = nullptr;
  library.find("vkGetInstanceProcAddr", find);
  if (find == nullptr) return {Outcome::kRefused, "libvulkan.so.1 is no Vulkan loader", {}};
  const auto create = reinterpret_cast<int (*)(const InstanceCreateInfo*, const void*, Instance*)>(
      find(nullptr, "vkCreateInstance"));
  const ApplicationInfo application;
  InstanceCreateInfo info;
  info.application = &application;
  Instance instance = nullptr;
  const int result = create != nullptr ? create(&info, nullptr, &instance) : -1;
  if (result != 0) {
    return {Outcome::kRefused, base::str_cat("vkCreateInstance gives ", result), {}};
  }
  Functions vk{};
  const auto load = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(find(instance, name));
  };
  load("vkEnumeratePhysicalDevices", vk.devices);
  load("vkGetPhysicalDeviceFeatures", vk.features);
  load("vkGetPhysicalDeviceProperties", vk.properties);
  load("vkGetPhysicalDeviceProperties2", vk.properties2);
  load("vkGetPhysicalDeviceMemoryProperties", vk.memory);
  load("vkEnumerateDeviceExtensionProperties", vk.extensions);
  load("vkDestroyInstance", vk.destroy);
  const std::shared_ptr<void> made(nullptr, [&](void*) {
    if (vk.destroy != nullptr) vk.destroy(instance, nullptr);
  });
  if (vk.devices == nullptr || vk.properties == nullptr) {
    return {Outcome::kRefused, "the Vulkan loader lacks functions", {}};
  }
  std::array<PhysicalDevice, kMostDevices> devices{};
  uint32_t count = kMostDevices;
  const int listed = vk.devices(instance, &count, devices.data());
  if (listed != 0 && listed != kIncomplete) {
    return {Outcome::kRefused, base::str_cat("vkEnumeratePhysicalDevices gives ", listed), {}};
  }
  LibraryAnswer answer{Outcome::kAnswered, "", {}};
  for (uint32_t i = 0; i < std::min(count, kMostDevices); ++i) {
    answer.records.push_back(ask_device(vk, devices[i]));
  }
  return answer;
}

}  // namespace supernova::device::vulkan
