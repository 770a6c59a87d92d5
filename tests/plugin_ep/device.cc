#include "device.h"

#include <cstdlib>
#include <cstring>

namespace plugin_ep {

const OrtApi* api = nullptr;
const OrtEpApi* ep_api = nullptr;

namespace {

// Room before each block for its size; keeps the alignment that the runtime expects.
constexpr size_t kAlignment = 256;

class DataTransfer : public OrtDataTransferImpl {
 public:
  explicit DataTransfer(const OrtMemoryDevice* device) : OrtDataTransferImpl{}, device_(device) {
    ort_version_supported = ORT_API_VERSION;
    Release = [](OrtDataTransferImpl* self) noexcept { delete static_cast<DataTransfer*>(self); };
    CanCopy = &can_copy;
    CopyTensors = &copy;
  }

 private:
  static bool can_copy(const OrtDataTransferImpl* self, const OrtMemoryDevice* from,
                       const OrtMemoryDevice* to) noexcept {
    const OrtMemoryDevice* mine = static_cast<const DataTransfer*>(self)->device_;
    const auto is_mine = [&](const OrtMemoryDevice* memory) {
      return ep_api->MemoryDevice_AreEqual(memory, mine);
    };
    const auto is_known = [&](const OrtMemoryDevice* memory) {
      return is_mine(memory) ||
             ep_api->MemoryDevice_GetDeviceType(memory) == OrtMemoryInfoDeviceType_CPU;
    };
    return (is_mine(from) || is_mine(to)) && is_known(from) && is_known(to);
  }

  static OrtStatus* copy(OrtDataTransferImpl*, const OrtValue** from, OrtValue** to,
                         OrtSyncStream**, size_t count) noexcept {
    for (size_t i = 0; i < count; ++i) {
      size_t size = 0;
      const void* source = nullptr;
      void* target = nullptr;
      if (OrtStatus* status = api->GetTensorSizeInBytes(from[i], &size)) return status;
      if (OrtStatus* status = api->GetTensorData(from[i], &source)) return status;
      if (OrtStatus* status = api->GetTensorMutableData(to[i], &target)) return status;
      if (OrtStatus* status = check_memory(target, size)) return status;
      std::memcpy(target, source, size);
    }
    return nullptr;
  }

  const OrtMemoryDevice* device_;
};

}  // namespace

OrtStatus* check_memory(const void* memory, size_t size) {
  if (memory != nullptr || size == 0) return nullptr;
  return api->CreateStatus(ORT_FAIL, "the test device is out of memory");
}

Memory::Memory(const OrtMemoryInfo* memory_info, size_t limit)
    : OrtAllocator{}, info_(memory_info), limit_(limit) {
  version = ORT_API_VERSION;
  Alloc = &allocate;
  Free = &release;
  Info = &info;
}

void* Memory::allocate(OrtAllocator* self, size_t size) {
  auto& memory = *static_cast<Memory*>(self);
  if (memory.used_.fetch_add(size) + size > memory.limit_ && memory.limit_ != 0) {
    memory.used_ -= size;
    return nullptr;
  }
  void* block = std::aligned_alloc(kAlignment,
                                   kAlignment + (size + kAlignment - 1) / kAlignment * kAlignment);
  if (block == nullptr) return nullptr;
  std::memcpy(block, &size, sizeof(size));
  return static_cast<std::byte*>(block) + kAlignment;
}

void Memory::release(OrtAllocator* self, void* memory) {
  if (memory == nullptr) return;
  std::byte* block = static_cast<std::byte*>(memory) - kAlignment;
  size_t size = 0;
  std::memcpy(&size, block, sizeof(size));
  static_cast<Memory*>(self)->used_ -= size;
  std::free(block);
}

const OrtMemoryInfo* Memory::info(const OrtAllocator* self) {
  return static_cast<const Memory*>(self)->info_;
}

OrtDataTransferImpl* make_data_transfer(const OrtMemoryInfo* device_memory) {
  return new DataTransfer(ep_api->MemoryInfo_GetMemoryDevice(device_memory));
}

}  // namespace plugin_ep
