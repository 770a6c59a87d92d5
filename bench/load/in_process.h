// A model opened in this process, without a server: what serving is measured against. It goes where
// a server would place it.
#pragma once

#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/model_source.h"
#include "model/open_sessions.h"

namespace supernova::bench {

class InProcess {
 public:
  // Of several instances the first one runs. Catalogue and provider outlive this.
  base::Status open(const model::VersionSource& source, tensor::ArtefactProvider& provider,
                    engine::Catalogue& engines, device::DeviceList& devices,
                    const model::LoadOptions& options);
  // As the model's importer describes them.
  const std::vector<tensor::TensorInfo>& inputs() const { return inputs_; }

  // What run() asks with; all outputs are asked for.
  void set_inputs(std::vector<tensor::Tensor> inputs);
  // Runs once; from as many threads at a time as one likes, those that the session can't take wait.
  // The outputs, one after the other, go to `outputs` unless it is null.
  base::Status run(std::string* outputs);

  // "onnxruntime on cpu"
  std::string place() const;

 private:
  engine::Session& session() const { return *opened_.sessions.front().session; }

  model::OpenSessions opened_;
  std::unique_ptr<std::counting_semaphore<>> room_;
  std::vector<tensor::TensorInfo> inputs_;
  tensor::Request request_;
};

}  // namespace supernova::bench
