// What a version of a model is, in a form that repositories, caches and fleets can exchange: the
// digest of its content, where it came from, and what it takes and gives.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::model {

struct ManifestFile {
  std::string path;  // relative to the version; the file's name for a bare file
  uint64_t byte_size = 0;
  std::string sha256;  // hexadecimal
};

struct ContentDigest {
  // "sha256:<hex>" over the lines "<sha256>  <path>\n" of all files in the order of their paths, so
  // that it can be checked with sha256sum.
  std::string digest;
  std::vector<ManifestFile> files;
};

struct Manifest {
  std::string name;
  int64_t version = 1;
  ContentDigest content;
  std::string format;    // of the source
  std::string producer;  // "pytorch 2.1", "" = not said
  std::string path;      // where it was loaded from
  std::chrono::system_clock::time_point loaded_at;
  std::string engine;
  std::vector<tensor::TensorInfo> inputs;
  std::vector<tensor::TensorInfo> outputs;
  int64_t max_batch_size = 0;
};

// Reads all files under `path` (a file or folder; hidden ones are left out) in pieces. CANCELLED as
// soon as `cancelled` says so.
base::Result<ContentDigest> digest_content(const std::string& path,
                                           const std::function<bool()>& cancelled);

}  // namespace supernova::model
