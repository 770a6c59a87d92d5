// A model file's bytes, read-only: small files are read, large ones mapped, never copied. A mapped
// file must not be cut by others while it is open.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::import::wire {

class ModelFile {
 public:
  // How the bytes are held: kRead reads files below 64 MiB, so that nobody can change them
  // underneath.
  enum class Mode { kRead, kMap };
  static constexpr size_t kReadBelow = size_t{64} << 20U;
  static base::Result<ModelFile> open(const std::string& path, Mode mode);

  ModelFile(ModelFile&& other) noexcept;
  ModelFile& operator=(ModelFile&& other) noexcept;
  ~ModelFile();

  std::string_view bytes() const {
    return map_ != nullptr ? std::string_view(static_cast<const char*>(map_), size_) : read_;
  }

 private:
  ModelFile() = default;
  base::Status fill(int file, const std::string& path, Mode mode);

  void* map_ = nullptr;
  size_t size_ = 0;
  std::string read_;
};

}  // namespace supernova::import::wire
