#include "load/in_process.h"

#include <utility>

#include "base/log.h"

namespace supernova::bench {

base::Status InProcess::open(const model::VersionSource& source, tensor::ArtefactProvider& provider,
                             engine::Catalogue& engines, device::DeviceList& devices,
                             const model::LoadOptions& options) {
  const model::SessionOpener opener(provider, engines, devices);
  SN_TRY(opener.open(source.name, source.path, {}, options, opened_));
  for (const std::string& warning : opened_.warnings) {
    SN_LOG(Warning, "model '{}': {}", source.name, warning);
  }
  room_ = std::make_unique<std::counting_semaphore<>>(session().max_concurrency());
  inputs_ = opened_.found.model().description.inputs;
  if (inputs_.empty()) inputs_ = session().signature().inputs;
  return {};
}

void InProcess::set_inputs(std::vector<tensor::Tensor> inputs) {
  request_.inputs = std::move(inputs);
  request_.outputs.clear();
  for (const auto& output : session().signature().outputs) request_.outputs.push_back(output.name);
}

base::Status InProcess::run(std::string* outputs) {
  // The callback may come from another thread of the engine's.
  base::Status status;
  std::binary_semaphore answered(0);
  room_->acquire();
  session().run(request_, [&](base::Result<tensor::Response> response) {
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

std::string InProcess::place() const {
  return base::str_cat(opened_.report.engine, " on ", opened_.report.instances.front().device);
}

}  // namespace supernova::bench
