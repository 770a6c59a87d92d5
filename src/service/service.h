// The only door to the models: every protocol calls it with plain values. Validates requests
// against the model's signature, finds the model, and hands the request to its queue. Thread-safe.
// Messages are those that clients of the Open Inference Protocol look for.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/model_manager.h"
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

class Service {
 public:
  explicit Service(model::ModelManager& models) : models_(models) {}

  bool live() const { return true; }
  // False while starting and draining. A model that failed to load does not hold the server back.
  bool ready() const { return ready_.load(std::memory_order_relaxed); }
  void set_ready(bool ready) { ready_.store(ready, std::memory_order_relaxed); }

  ServerMetadata metadata() const;
  base::Result<ModelMetadata> model_metadata(std::string_view name, std::string_view version) const;
  base::Result<model::ModelConfig> model_config(std::string_view name,
                                                std::string_view version) const;
  // OK when the version takes requests, else why not.
  base::Status model_ready(std::string_view name, std::string_view version) const;

  // `done` is called exactly once, on this thread (refused) or another.
  void infer(tensor::Request request, tensor::Completion done);

  // The signature a request to this model is read against (protocols that need datatypes first).
  base::Result<model::VersionHandle> model(std::string_view name, std::string_view version) const {
    return models_.find(name, version);
  }

 private:
  model::ModelManager& models_;
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
