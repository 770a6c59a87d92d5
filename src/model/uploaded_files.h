// The files of a load request, in a private temporary folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/buffer.h"

namespace supernova::model {

struct UploadedFile {
  std::string path;  // inside the model's folder: "1/model.onnx"
  tensor::Buffer content;
};

// A folder that is removed, with what is in it, by its destructor.
class TemporaryFolder {
 public:
  static base::Result<std::shared_ptr<const TemporaryFolder>> make();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Whether a client may name a file so: VERSION/NAME or warmup/NAME, no way out of the folder. Pure.
base::Status check_uploaded_path(const std::string& path);

// Writes the files; refuses names as above, and one given twice.
base::Result<std::shared_ptr<const TemporaryFolder>> store_uploaded_files(
    const std::vector<UploadedFile>& files);

}  // namespace supernova::model
