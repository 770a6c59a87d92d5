// A graph as an ONNX file (IR 8). Deterministic: equal models give equal bytes.
#pragma once

#include "base/status.h"
#include "import/graph/graph.h"
#include "tensor/artefact.h"

namespace supernova::import::graph {

// The whole file, in memory made for it; weights are copied once, from where they lie. Refuses a
// model beyond 2 GiB (the format's limit).
base::Result<tensor::Buffer> write_onnx(const Model& model);

// The artefact (format "onnx", bytes) after optimise() and check_target(), with inputs, outputs,
// operators and notes of `description` filled in from the model; what the importer set stays.
base::Result<tensor::ImportedModel> finish_import(Model& model,
                                                  tensor::ModelDescription description);

}  // namespace supernova::import::graph
