// A model opened on a device other than the CPU, by one of the runtime's execution providers: a
// session of its own, which all instances on that device share. Thread-safe.
//
// With the option strict_device=true it is refused where the runtime would leave any node to the
// CPU.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/onnxruntime/model.h"
#include "engine/onnxruntime/providers/placement.h"
#include "engine/onnxruntime/providers/provider.h"

namespace supernova::engine::onnxruntime {

class DeviceSession {
 public:
  static base::Result<std::unique_ptr<DeviceSession>> open(const Runtime& runtime,
                                                           const sn_artefact& artefact,
                                                           const sn_device& device,
                                                           const Options& options,
                                                           int thread_budget);
  ~DeviceSession();
  DeviceSession(const DeviceSession&) = delete;
  DeviceSession& operator=(const DeviceSession&) = delete;

  // As Model::run; failures name the device. A device that is lost is UNAVAILABLE, one that is out
  // of memory RESOURCE_EXHAUSTED. Where the provider's words don't tell, the device is tried
  // (try_device.h).
  base::Status run(const sn_run& run);
  // As Model::cancel: what the device has been given already it still does.
  void cancel(const sn_run& run) { model_->cancel(run); }

  // Of a provider that has the layout of tensors changed (WebGPU) the runtime tells only some of
  // its own nodes, but all of those on the CPU.
  const std::vector<PlacedNode>& placement() const { return placement_; }
  // What is not on the device, in words; "" = nothing.
  std::string fallback() const;
  uint64_t host_memory_bytes() const { return model_->host_memory_bytes(); }
  // As far as the provider says; 0 = not known.
  uint64_t device_memory_bytes() const;

 private:
  DeviceSession(const Runtime& runtime, const sn_device& device, Options options);
  void warm_up();
  // What a failure means to whoever asked.
  base::Status judge(const base::Status& status);

  const Runtime& runtime_;
  sn_device device_;
  std::string device_id_;  // what device_ points to
  Options options_;
  Provider provider_;
  std::atomic<bool> has_run_{false};
  std::atomic<int> failures_{0};  // unclear ones since the last run that went well
  std::unique_ptr<Model> model_;
  std::vector<PlacedNode> placement_;
};

}  // namespace supernova::engine::onnxruntime
