// Threads that ONNX Runtime starts for a model.
#pragma once

#include <supernova/engine.h>

#include <filesystem>
#include <iterator>
#include <string>

#include "engine/onnxruntime/runtime.h"

namespace supernova::testing_support {

// How many threads more there are once `open`, given runtime and artefact, has opened the ONNX
// model `content`; -1 = it could not.
template <typename Open>
int threads_of_model(const std::string& content, Open open) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<int>(std::distance(begin(tasks), end(tasks)));
  };
  const auto runtime = engine::onnxruntime::load_runtime();
  if (!runtime.ok()) return -1;
  sn_artefact artefact{};
  artefact.size = sizeof(artefact);
  artefact.format = "onnx";
  artefact.data = content.data();
  artefact.data_size = content.size();
  const int before = threads();
  const auto model = open(**runtime, artefact);
  return model.ok() ? threads() - before : -1;
}

}  // namespace supernova::testing_support
