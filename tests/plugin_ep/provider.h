// What runs nodes on the device: takes Mul and Add of FP32 tensors and computes them.
#pragma once

#include <onnxruntime_c_api.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device.h"

namespace plugin_ep {

// What a user asked for with `provider.KEY=VALUE`.
struct Settings {
  size_t memory_limit = 0;       // bytes of device memory, 0 = all
  long lose_after = -1;          // the device is gone after so many nodes were computed; -1 = never
  long break_after = -1;         // the same, but only for this session
  std::optional<float> fail_on;  // a node whose first number this is fails
  std::string leave;             // operators that are left to others, separated by commas
};

// How far the device is there: gone once one session has lost it, until nothing of this process is
// open on it any more. Thread-safe.
class Presence {
 public:
  void open() { ++sessions_; }
  void close() {
    if (--sessions_ == 0) is_lost_ = false;
  }
  void lose() { is_lost_ = true; }
  bool is_lost() const { return is_lost_; }

 private:
  std::atomic<int> sessions_{0};
  std::atomic<bool> is_lost_{false};
};

class Provider : public OrtEp {
 public:
  Provider(Settings settings, Presence& presence, const OrtMemoryInfo* memory);
  ~Provider() { presence_.close(); }

  // Counts a node; what it fails of, null = nothing.
  const char* use(float first);

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
  Presence& presence_;
  std::atomic<long> used_{0};
  const OrtMemoryInfo* memory_;
};

}  // namespace plugin_ep
