// A graph as an ONNX file (IR 8). Deterministic: equal models give equal bytes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "import/graph/graph.h"
#include "tensor/artefact.h"

namespace supernova::import::graph {

// Receives the file in pieces; weights are handed on from where they lie.
using Sink = std::function<base::Status(std::string_view)>;
// Refuses a model beyond 2 GiB (the format's limit).
base::Status write_onnx(const Model& model, const Sink& sink);
// The size write_onnx() will write.
uint64_t onnx_size(const Model& model);

// The artefact (format "onnx", bytes) after optimise() and check_target(), with inputs, outputs,
// operators and notes of `description` filled in from the model; what the importer set stays.
base::Result<tensor::ImportedModel> finish_import(Model& model,
                                                  tensor::ModelDescription description);

}  // namespace supernova::import::graph
