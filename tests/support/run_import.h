// Imports a model with any importer and runs what it became on ONNX Runtime: how the tests of
// importers compare numbers. Needs supernova_test_import; not thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "import/importer.h"
#include "support/tensors.h"

namespace supernova::test {

// A folder of its own that goes with this object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Writes a file into it and returns its path.
  std::string write(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

// recognise() and import(); NOT_FOUND when `path` is not of the importer's format.
base::Result<tensor::ImportedModel> import_path(const import::Importer& importer,
                                                const std::string& path,
                                                const tensor::Options& options = {});
// Every output of the model, in its order.
base::Result<std::vector<tensor::Tensor>> run_artefact(const tensor::Artefact& artefact,
                                                       std::vector<tensor::Tensor> inputs);
// Both.
base::Result<std::vector<tensor::Tensor>> run_path(const import::Importer& importer,
                                                   const std::string& path,
                                                   std::vector<tensor::Tensor> inputs,
                                                   const tensor::Options& options = {});

inline tensor::Tensor float_tensor(std::string name, tensor::Shape shape,
                                   const std::vector<float>& values) {
  return tensor_of(std::move(name), tensor::DataType::kFp32, std::move(shape), values);
}
// Repeatable numbers in [-1, 1), others for every seed.
std::vector<float> some_floats(size_t count, uint32_t seed = 1);

}  // namespace supernova::test
