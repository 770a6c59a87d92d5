#include "model/model_source.h"

#include <algorithm>
#include <filesystem>

namespace supernova::model {

namespace fs = std::filesystem;

base::Status check_model_name(const std::string& name) {
  if (name.empty()) return absl::InvalidArgumentError("a model needs a name; give NAME=PATH");
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (!plain || name == "." || name == "..") {
    return absl::InvalidArgumentError(base::str_cat(
        "'", name, "' can't be a model's name (no '/', control characters, '.', '..')"));
  }
  return {};
}

base::Result<VersionSource> source_from_argument(const std::string& argument) {
  VersionSource source;
  const size_t equals = argument.find('=');
  std::error_code error;
  // A path that exists as it is written wins, so that file names with '=' can be served.
  if (equals != std::string::npos && !fs::exists(argument, error)) {
    source.name = argument.substr(0, equals);
    source.path = argument.substr(equals + 1);
  } else {
    source.path = argument;
    fs::path path = fs::path(argument).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    if (path == "." || path == "..") path = fs::weakly_canonical(path, error);
    source.name = fs::is_directory(path, error) ? path.filename().string() : path.stem().string();
  }
  if (source.path.empty()) return absl::InvalidArgumentError("a model needs a path");
  SN_TRY(check_model_name(source.name));
  return source;
}

}  // namespace supernova::model
