// The only door to the models: every protocol calls it with plain values. Checks what the caller
// may do, validates requests against the model's signature, and hands them to its queue.
// Thread-safe. Messages are those that clients of the Open Inference Protocol look for.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "device/device_list.h"
#include "model/model_manager.h"
#include "service/access.h"
#include "service/log_settings.h"
#include "service/shared_memory.h"
#include "service/trace.h"
#include "tensor/request.h"

namespace supernova::service {

struct ServerMetadata {
  std::string name;
  std::string version;
  std::vector<std::string> extensions;
};

struct ModelMetadata {
  std::string name;
  std::vector<std::string> versions;
  std::string platform;
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
};

struct ModelPlacement {
  std::string name;
  std::string version;
  std::string state;  // model::version_state_name
  std::shared_ptr<const model::PlacementReport> report;
  // Of what serves: its sessions, as Scheduler::instances() has them.
  std::vector<schedule::Scheduler::InstanceFigures> sessions;
  uint64_t moved = 0;
};

struct ModelStatistics {
  std::string name;
  std::string version;
  model::StatisticsSnapshot statistics;
};

// Functions that take a Caller check its rights first: PERMISSION_DENIED. A default Caller may do
// everything (the program itself). `model` and `version` as in ModelManager::find.
class Service {
 public:
  explicit Service(model::ModelManager& models) : models_(models) {}

  // Null (the default) admits everybody. Set before the first request.
  void set_access_control(const AccessControl* access) { access_ = access; }
  // Null (the default): the trace extension is not served. Set before the first request.
  void set_tracer(Tracer* tracer) { tracer_ = tracer; }
  const Tracer* tracer() const { return tracer_; }
  // Whether admit() looks at credentials at all: else nobody has to collect them.
  bool controls_access() const { return access_ != nullptr; }
  // What a front end asks before anything else of a request.
  base::Result<Caller> admit(Transport transport, Api api, const Credentials& credentials) const;

  bool live() const { return true; }
  // False while starting and draining. A model that failed to load does not hold the server back.
  bool ready() const { return ready_.load(std::memory_order_relaxed); }
  void set_ready(bool ready) { ready_.store(ready, std::memory_order_relaxed); }

  base::Result<ServerMetadata> metadata(const Caller& caller) const;
  base::Result<ModelMetadata> model_metadata(const Caller& caller, std::string_view model,
                                             std::string_view version) const;
  base::Result<model::ModelConfig> model_config(const Caller& caller, std::string_view model,
                                                std::string_view version) const;
  // Also of a version that could not be loaded, once it is known where it could not be placed.
  base::Result<ModelPlacement> placement(const Caller& caller, std::string_view model,
                                         std::string_view version) const;
  // OK when the version takes requests, else why not.
  base::Status model_ready(const Caller& caller, std::string_view model,
                           std::string_view version) const;
  // Of one version, of all ready versions of a model (`version` ""), or of all models (`model` "").
  base::Result<std::vector<ModelStatistics>> statistics(const Caller& caller,
                                                        std::string_view model,
                                                        std::string_view version) const;

  base::Result<std::vector<model::IndexEntry>> repository_index(const Caller& caller,
                                                                bool only_ready) const;
  // `done` is called exactly once, on this thread (refused) or another.
  void load_model(const Caller& caller, std::string model, model::LoadRequest request,
                  model::LifecycleDone done);
  void unload_model(const Caller& caller, std::string model, bool unload_dependents,
                    model::LifecycleDone done);

  // Null (the default) refuses everything about shared memory. Set before the first request.
  void set_shared_memory(SharedMemory* shared_memory) { shared_memory_ = shared_memory; }
  // System shared memory. UNIMPLEMENTED unless the operator allows it.
  base::Status register_shared_memory(const Caller& caller, const SharedMemoryRegion& region);
  base::Status unregister_shared_memory(const Caller& caller, std::string_view name);  // "" = all
  base::Result<std::vector<SharedMemoryRegion>> shared_memory(const Caller& caller,
                                                              std::string_view name) const;
  // A part of a registered region, where it is; it stays mapped while the buffer lives. For inputs
  // and destinations of a request: infer() copies, and nobody else should touch the bytes (they may
  // vanish: service/shared_memory.h).
  base::Result<tensor::Buffer> shared_memory_part(const Caller& caller, std::string_view name,
                                                  uint64_t offset, uint64_t byte_size) const;

  // Null (the default): nobody is told of devices. Set before the first request.
  void set_devices(device::DeviceList* devices) { devices_ = devices; }
  using DevicesDone = absl::AnyInvocable<void(const base::Result<device::DeviceList::Snapshot>&)>;
  // As in DeviceList::get.
  void devices(const Caller& caller, bool anew, DevicesDone done) const;

  // `model` "" = the global settings.
  base::Result<TraceSettings> trace_settings(const Caller& caller, std::string_view model) const;
  base::Result<TraceSettings> update_trace_settings(const Caller& caller, std::string_view model,
                                                    const TraceUpdate& update);
  base::Result<LogSettings> log_settings(const Caller& caller) const;
  base::Result<LogSettings> update_log_settings(const Caller& caller, const LogSettings& update);

  // `done` is called exactly once, on this thread (refused) or another.
  void infer(const Caller& caller, tensor::Request request, tensor::Completion done);
  // The same on a version that model() lent: what was read against it runs on it.
  void infer(const Caller& caller, model::VersionHandle version, tensor::Request request,
             tensor::Completion done);

  // The signature a request to this model is read against (protocols that need datatypes first).
  base::Result<model::VersionHandle> model(std::string_view name, std::string_view version) const {
    return models_.find(name, version);
  }
  // Every version, ready or not, for those who measure.
  std::vector<model::VersionHandle> versions() const { return models_.list(); }

 private:
  // OK when the trace extension is served and `model` is "" or ready.
  base::Status check_trace(const Caller& caller, std::string_view model) const;
  // `done` as it goes on when traces and the access log are to know of it.
  tensor::Completion observe(tensor::Request& request,
                             std::chrono::steady_clock::time_point arrived,
                             tensor::Completion done);

  model::ModelManager& models_;
  const AccessControl* access_ = nullptr;
  SharedMemory* shared_memory_ = nullptr;
  Tracer* tracer_ = nullptr;
  device::DeviceList* devices_ = nullptr;
  std::atomic<bool> ready_{false};
};

// Whether `size` bytes are what the tensor's fixed-size datatype and shape need. Pure, as those
// below.
base::Status check_byte_size(const tensor::Tensor& tensor, uint64_t size, std::string_view model);

// Whether the tensor's bytes are what its datatype and shape say: their number, the packing of
// BYTES, nothing but 0 and 1 in BOOL. Every protocol leaves this to validate().
base::Status check_content(const tensor::Tensor& tensor, std::string_view model);

// Checks names, datatypes, shapes and byte sizes of `request` against the signature and puts
// nothing right. Pure.
base::Status validate(const tensor::Request& request, const std::vector<tensor::TensorInfo>& inputs,
                      const std::vector<tensor::TensorInfo>& outputs);

}  // namespace supernova::service
