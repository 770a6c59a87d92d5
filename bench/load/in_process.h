// A model opened in this process, without a server: what serving is measured against.
#pragma once

#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/catalogue.h"
#include "tensor/artefact.h"

namespace supernova::bench {

class InProcess {
 public:
  // `engine` "" = the best one. Catalogue and provider outlive this.
  base::Status open(const std::string& path, tensor::ArtefactProvider& provider,
                    engine::Catalogue& engines, const std::string& engine,
                    const tensor::Options& options);
  // As the model's importer describes them.
  const std::vector<tensor::TensorInfo>& inputs() const { return description_.inputs; }

  // What run() asks with; all outputs are asked for.
  void set_inputs(std::vector<tensor::Tensor> inputs);
  // Runs once; from as many threads at a time as one likes, those that the session can't take wait.
  // The outputs, one after the other, go to `outputs` unless it is null.
  base::Status run(std::string* outputs);

 private:
  std::unique_ptr<engine::Model> model_;
  std::unique_ptr<engine::Session> session_;
  std::unique_ptr<std::counting_semaphore<>> room_;
  tensor::ModelDescription description_;
  tensor::Request request_;
};

}  // namespace supernova::bench
