// What an engine opens: a model in a form that engines read, and what the importer knows of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace supernova::tensor {

using Options = std::map<std::string, std::string>;

struct Artefact {
  std::string format;  // "onnx", or what an engine named
  std::string path;    // the file; with `bytes`, the folder that relative references start from
  Buffer bytes;        // empty = the engine reads `path`
  std::string digest;  // content digest, "" = not computed
};

// What `inspect` shows and metadata carries; filled by the importer of the source format.
struct ModelDescription {
  std::string format;                        // source format: "onnx"
  std::string producer;                      // "pytorch 2.1", "" = not said
  std::string version;                       // of the format: "IR 8, opset 17, ai.onnx.ml 3"
  std::string file;                          // the model file itself
  uint64_t byte_size = 0;                    // with external data
  std::vector<std::string> external_files;   // weights beside `file`, relative to its folder
  std::map<std::string, int64_t> operators;  // "Conv" or "domain:Op" -> count, subgraphs included
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::vector<std::string> notes;  // what was changed on the way in, in the user's words
};

struct ImportedModel {
  Artefact artefact;
  ModelDescription description;
};

// Turns a MODEL path (file or folder of any supported format, recognised by content) into an
// artefact. apps/ wires it to import/. Thread-safe.
class ArtefactProvider {
 public:
  virtual ~ArtefactProvider() = default;
  // Whether `path` looks like a model of a supported format, by its content; reads little of it.
  virtual bool recognises(const std::string& path) const = 0;
  virtual base::Result<ImportedModel> provide(const std::string& path, const Options& options) = 0;
};

}  // namespace supernova::tensor
