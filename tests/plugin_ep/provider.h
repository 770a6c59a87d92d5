// What runs nodes on the device: takes Mul and Add of FP32 tensors and computes them.
#pragma once

#include <onnxruntime_c_api.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "device.h"

namespace plugin_ep {

// What a user asked for with `provider.KEY=VALUE`.
struct Settings {
  size_t memory_limit = 0;  // bytes of device memory, 0 = all
  long lose_after = -1;     // the device is gone after so many nodes were computed; -1 = never
  std::string leave;        // an operator that is left to others
};

class Provider : public OrtEp {
 public:
  Provider(Settings settings, const OrtMemoryInfo* memory);

  // Counts a node; false when the device is gone.
  bool use();

 private:
  static const char* name(const OrtEp* self) noexcept;
  static OrtStatus* capability(OrtEp* self, const OrtGraph* graph,
                               OrtEpGraphSupportInfo* taken) noexcept;
  static OrtStatus* compile(OrtEp* self, const OrtGraph** graphs, const OrtNode** fused,
                            size_t count, OrtNodeComputeInfo** infos, OrtNode** contexts) noexcept;
  static void release(OrtEp* self, OrtNodeComputeInfo** infos, size_t count) noexcept;
  static OrtStatus* allocator(OrtEp* self, const OrtMemoryInfo* info, OrtAllocator** out) noexcept;

  bool takes(const OrtNode* node) const;

  Settings settings_;
  std::atomic<long> used_{0};
  const OrtMemoryInfo* memory_;
};

}  // namespace plugin_ep
