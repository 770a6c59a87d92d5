// A model named on the command line. Stateless.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace supernova::model {

struct VersionSource {
  std::string name;
  int64_t version = 1;
  std::string path;  // model file or folder
};

// MODEL as given to `serve`: PATH, or NAME=PATH. The name of a bare path is its file name without
// its extension, or the folder's name. Names are refused when empty, with '/', control characters,
// or ".."
base::Result<VersionSource> source_from_argument(const std::string& argument);

// Whether `name` can be a model's name; the refusal says why not.
base::Status check_model_name(const std::string& name);

}  // namespace supernova::model
