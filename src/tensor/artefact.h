// What an engine opens: a model in a form that engines read, and what the importer knows of it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace supernova::tensor {

using Options = std::map<std::string, std::string>;

// What every source format is imported to.
inline constexpr char kHubFormat[] = "onnx";

struct Artefact {
  std::string format;  // "onnx", or what an engine named
  std::string path;    // the file; with `bytes`, the folder that relative references start from
  Buffer bytes;        // empty = the engine reads `path`
  std::string digest;  // content digest, "" = not computed
  // Where the weights are not in `bytes` but in a file of `path` that these refer to: that part of
  // the file, mapped. The file stays as long as somebody holds this.
  Buffer weights;
};

// The weights of an imported model that are not in its bytes, as of one that is larger than an ONNX
// file can be. Until they are kept somewhere, the bytes call their file kWeightsPlace, and count
// offsets in it from kWeightsBase: whoever keeps them puts a name of as many letters there.
inline constexpr std::string_view kWeightsPlace =
    "weights-of-this-model-before-they-have-a-place-in-the-cache-of-artefac";
inline constexpr uint64_t kWeightsBase = uint64_t{1} << 16U;

struct Weights {
  using Sink = std::function<base::Status(std::span<const std::byte>)>;
  uint64_t byte_size = 0;  // 0 = there are none
  // Hands all of it over in order, piece by piece, until the sink fails. What has to be made is
  // made for that moment: the whole is never in memory.
  std::function<base::Status(const Sink&)> write;
};

// What `inspect` shows and metadata carries; filled by the importer of the source format.
struct ModelDescription {
  std::string format;                        // source format: "onnx"
  std::string producer;                      // "pytorch 2.1", "" = not said
  std::string version;                       // of the format: "IR 8, opset 17, ai.onnx.ml 3"
  std::string file;                          // the model file itself
  uint64_t byte_size = 0;                    // with external data
  std::map<std::string, int64_t> operators;  // "Conv" or "domain:Op" -> count, subgraphs included
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::vector<std::string> notes;  // what was changed on the way in, in the user's words
};

struct ImportedModel {
  Artefact artefact;
  Weights weights;  // not kept yet
  ModelDescription description;
  // Every file that the artefact was made from or refers to; empty = the importer doesn't say, so
  // that any file beside the model may count.
  std::vector<std::string> sources;
};

// A model as it lies on disk.
struct SourceFile {
  std::string format;  // "tflite"
  std::string file;
};

// Turns a MODEL path (file or folder of any supported format, recognised by content) into an
// artefact. apps/ wires it to import/ and compile/. Thread-safe.
class ArtefactProvider {
 public:
  virtual ~ArtefactProvider() = default;
  // Whether `path` looks like a model of a supported format, by its content; reads little of it.
  virtual bool recognises(const std::string& path) const = 0;
  // What lies at `path`, by its content: for engines that take the file as it is. Imports nothing.
  virtual base::Result<SourceFile> identify(const std::string& /*path*/) const {
    return absl::UnimplementedError("this provider tells no formats");
  }
  virtual base::Result<ImportedModel> provide(const std::string& path, const Options& options) = 0;
  // The same model in a form that the engine of that name opens faster and with less memory, if
  // there is one. May take as long as a load.
  virtual std::optional<Artefact> prepare(const ImportedModel& /*model*/,
                                          std::string_view /*engine*/, const Options& /*options*/) {
    return std::nullopt;
  }
};

}  // namespace supernova::tensor
