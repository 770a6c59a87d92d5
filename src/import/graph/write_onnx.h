// A graph as an ONNX file (IR 8), and where that would be too large, as a file and one of weights
// beside it (ONNX's external data). Deterministic: equal models give equal bytes.
#pragma once

#include "base/status.h"
#include "import/graph/graph.h"
#include "tensor/artefact.h"

namespace supernova::import::graph {

// One file holds less than this: lengths in the format are signed numbers of 32 bits.
inline constexpr uint64_t kOneFileHolds = uint64_t{1} << 31U;
// The importers' option by which a smaller number of bytes is enough for a file of weights.
inline constexpr char kExternalDataFrom[] = "external_data_from";

struct OnnxFile {
  tensor::Buffer model;     // in memory made for it
  tensor::Weights weights;  // keeps what they are made of alive
};

// Weights are copied once, from where they lie: into the model, or, where that would have
// `external_from` bytes or more, into the weights. Refuses a model that is too large without them.
base::Result<OnnxFile> write_onnx(const Model& model, uint64_t external_from = kOneFileHolds);

// The artefact (format "onnx", bytes) after optimise() and check_target(), with inputs, outputs,
// operators and notes of `description` filled in from the model; what the importer set stays. Of
// the importer's options it takes kExternalDataFrom.
base::Result<tensor::ImportedModel> finish_import(Model& model,
                                                  tensor::ModelDescription description,
                                                  const tensor::Options& options = {});

}  // namespace supernova::import::graph
