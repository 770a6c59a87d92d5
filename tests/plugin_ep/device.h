// The device that the plug-in pretends to drive: an NPU with memory of its own, which is the
// host's with a limit, and which can be lost. Thread-safe.
#pragma once

#include <onnxruntime_c_api.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#ifndef PLUGIN_EP_TAKES_MUL
#define PLUGIN_EP_TAKES_MUL 1
#endif
#ifndef PLUGIN_EP_FINDS_DEVICE
#define PLUGIN_EP_FINDS_DEVICE 1
#endif

namespace plugin_ep {

inline constexpr char kName[] = "SupernovaTestExecutionProvider";
inline constexpr char kVendor[] = "Supernova";
inline constexpr uint32_t kVendorId = 0x5e5e;
inline constexpr uint32_t kProductId = 0x0001;
inline constexpr bool kTakesMul = PLUGIN_EP_TAKES_MUL;
inline constexpr bool kFindsDevice = PLUGIN_EP_FINDS_DEVICE;

// The runtime's functions; set before anything else is called.
extern const OrtApi* api;
extern const OrtEpApi* ep_api;

// An error where there was no memory for `size` bytes: the runtime hands on what an allocator
// gives, null too.
OrtStatus* check_memory(const void* memory, size_t size);

// Memory of the device; the host can't tell that it may read it.
class Memory : public OrtAllocator {
 public:
  // `limit` in bytes, 0 = none.
  Memory(const OrtMemoryInfo* info, size_t limit);

 private:
  static void* allocate(OrtAllocator* self, size_t size);
  static void release(OrtAllocator* self, void* memory);
  static const OrtMemoryInfo* info(const OrtAllocator* self);

  const OrtMemoryInfo* info_;
  size_t limit_;
  std::atomic<size_t> used_{0};
};

// Copies between host and device.
OrtDataTransferImpl* make_data_transfer(const OrtMemoryInfo* device_memory);

}  // namespace plugin_ep
