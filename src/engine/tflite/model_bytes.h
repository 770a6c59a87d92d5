// The bytes of a .tflite file, for as long as the model lives; all its instances use the weights in
// place. Small files are read, so that nobody can change them underneath, large ones mapped.
#pragma once

#include <supernova/engine.h>

#include <memory>
#include <string_view>

#include "base/status.h"

namespace supernova::engine::tflite {

class ModelBytes {
 public:
  // An artefact's own bytes are used where they lie if they are aligned, else copied.
  static base::Result<std::unique_ptr<ModelBytes>> open(const sn_artefact& artefact);
  ~ModelBytes();
  ModelBytes(const ModelBytes&) = delete;
  ModelBytes& operator=(const ModelBytes&) = delete;

  std::string_view view() const { return {data_, size_}; }
  // Bytes of this model's own that can be written; copies those of an artefact.
  base::Result<char*> writable();

 private:
  ModelBytes() = default;
  base::Status take_copy(const char* from, size_t size);
  base::Status read_file(const char* path);
  base::Status map(int file);

  const char* data_ = nullptr;
  size_t size_ = 0;
  char* own_ = nullptr;  // allocated or mapped
  bool mapped_ = false;
};

}  // namespace supernova::engine::tflite
