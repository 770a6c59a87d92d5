#include "load/in_process.h"

#include <utility>

namespace supernova::bench {

base::Status InProcess::open(const std::string& path, tensor::ArtefactProvider& provider,
                             engine::Catalogue& engines, const std::string& engine,
                             const tensor::Options& options) {
  SN_ASSIGN(tensor::ImportedModel imported, provider.provide(path, options));
  const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, nullptr};
  engine::Engine* chosen = nullptr;
  if (engine.empty()) {
    SN_ASSIGN(chosen, engines.choose(imported.artefact, cpu, options));
  } else {
    SN_ASSIGN(chosen, engines.find(engine));
  }
  SN_ASSIGN(model_, chosen->open_model(imported.artefact, options));
  SN_ASSIGN(session_, model_->open_session(cpu, options));
  room_ = std::make_unique<std::counting_semaphore<>>(session_->max_concurrency());
  description_ = std::move(imported.description);
  if (description_.inputs.empty()) description_.inputs = session_->signature().inputs;
  return {};
}

void InProcess::set_inputs(std::vector<tensor::Tensor> inputs) {
  request_.inputs = std::move(inputs);
  request_.outputs.clear();
  for (const auto& output : session_->signature().outputs) request_.outputs.push_back(output.name);
}

base::Status InProcess::run(std::string* outputs) {
  // The callback may come from another thread of the engine's.
  base::Status status;
  std::binary_semaphore answered(0);
  room_->acquire();
  session_->run(request_, [&](base::Result<tensor::Response> response) {
    status = response.status();
    if (response.ok() && outputs != nullptr) {
      for (const tensor::Tensor& output : response->outputs) outputs->append(output.buffer.view());
    }
    answered.release();
  });
  answered.acquire();
  room_->release();
  return status;
}

}  // namespace supernova::bench
