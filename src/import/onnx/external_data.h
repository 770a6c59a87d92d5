// Weights that lie in files beside the model. The runtime reads them itself; the importer sees to
// it that they are there, whole, and inside the model's own folder, because a model file is hostile
// input.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "import/onnx/schema.h"

namespace supernova::import::onnx {

// A TensorProto without its data.
struct TensorHead {
  std::string_view name;
  std::vector<int64_t> dims;
  int64_t element_type = 0;
  bool external = false;
  std::string_view location;
  std::string_view offset;  // decimal, "" = 0
  std::string_view length;  // decimal, "" = what the shape needs
};

struct ExternalTensor {
  std::string tensor;
  std::string location;  // relative to the model's folder
  uint64_t offset = 0;
  std::optional<uint64_t> length;  // bytes; nothing where neither the file nor the shape says it
};

struct DataFile {
  std::string path;  // without links
  uint64_t size = 0;
};

base::Result<TensorHead> read_tensor_head(Place place);
// Refuses offsets and lengths that are no numbers, and a length other than the shape needs.
base::Result<ExternalTensor> external_tensor(const TensorHead& head, std::string_view name);

// Checks every tensor against the files in `folder` and returns these files. An error names the
// tensor, the file and what is missing. Refused: absolute paths, "..", links that lead out of the
// folder, the runtime's in-memory markers, anything but regular files, files that are too short.
base::Result<std::vector<DataFile>> check_external_data(std::span<const ExternalTensor> tensors,
                                                        const std::string& folder);

}  // namespace supernova::import::onnx
