// Says which model versions should exist: from a MODEL path on the command line, or from a
// repository folder. Stateless.
#pragma once

#include <functional>
#include <string>
#include <vector>

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

struct RepositoryContent {
  std::vector<VersionSource> sources;  // by name
  std::vector<std::string> problems;   // a line for each entry that isn't served, or not as written
};

// The models of a repository folder. Known entries: `<model>/<version>/...` (the highest version is
// served), `<model>/` holding a model itself, and `<model>.<ext>` where `recognises` says it is a
// model. Hidden entries are skipped.
base::Result<RepositoryContent> sources_from_repository(
    const std::string& folder, const std::function<bool(const std::string&)>& recognises);

}  // namespace supernova::model
