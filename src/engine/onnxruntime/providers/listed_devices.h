// What Vulkan lists in this process, asked once: making an instance of it loads every driver, and
// what WebGPU has chosen it keeps. Asked again only while nothing is listed. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "device/probes.h"

namespace supernova::engine::onnxruntime {

class ListedDevices {
 public:
  explicit ListedDevices(std::function<device::LibraryAnswer()> ask) : ask_(std::move(ask)) {}

  // Empty where Vulkan does not answer, or has none.
  std::vector<device::Record> get() {
    std::lock_guard lock(mutex_);
    if (records_.empty()) records_ = ask_().records;
    return records_;
  }

 private:
  std::function<device::LibraryAnswer()> ask_;
  std::mutex mutex_;
  std::vector<device::Record> records_;
};

}  // namespace supernova::engine::onnxruntime
