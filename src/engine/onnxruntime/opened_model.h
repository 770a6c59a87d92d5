// A model as the host opened it: its signature, the session of the CPU, which instances there
// share, and one for each other device. Thread-safe.
//
// A model that is meant for another device (option `device` or `execution_provider`) gets no
// session of the CPU before an instance asks for one, and one that nobody uses goes when an
// instance is opened elsewhere: the weights are in memory once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/onnxruntime/device_session.h"
#include "engine/onnxruntime/model.h"

namespace supernova::engine::onnxruntime {

// Whether a model's options say that it is for another device than the CPU's own kernels.
bool is_for_elsewhere(const Options& options);

class OpenedModel {
 public:
  static base::Result<std::unique_ptr<OpenedModel>> open(const Runtime& runtime,
                                                         const sn_artefact& artefact,
                                                         Options options, int thread_budget);

  const sn_model_info& info() const { return described_->info(); }
  const Options& options() const { return options_; }

  base::Result<std::shared_ptr<Model>> on_cpu();
  // `options` are the model's, and the instance's on top of them.
  base::Result<std::shared_ptr<DeviceSession>> on_device(const sn_device& device,
                                                         const Options& options);

 private:
  OpenedModel(const Runtime& runtime, const sn_artefact& artefact, Options options,
              int thread_budget);
  base::Status describe();
  void drop_unused_cpu();

  const Runtime& runtime_;
  sn_artefact artefact_;  // its texts are those below; its bytes live as long as the model
  std::string format_;
  std::string path_;
  const Options options_;
  const int thread_budget_;

  std::shared_ptr<Model> described_;  // keeps the signature, also without a session
  std::mutex mutex_;
  std::shared_ptr<Model> cpu_;  // null = no session on the CPU now
  std::map<std::string, std::weak_ptr<DeviceSession>> devices_;
};

}  // namespace supernova::engine::onnxruntime
