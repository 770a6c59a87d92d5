#include "model/model_source.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

namespace supernova::model {
namespace {

namespace fs = std::filesystem;

base::Status check_name(const std::string& name) {
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

std::optional<int64_t> version_number(const std::string& text) {
  int64_t number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size() || number < 0) {
    return std::nullopt;
  }
  return number;
}

// The highest version folder of a model folder, or the model folder itself as version 1.
base::Result<VersionSource> source_from_model_folder(const fs::path& folder,
                                                     std::vector<std::string>& problems) {
  VersionSource source{folder.filename().string(), 1, folder.string()};
  std::optional<int64_t> highest;
  size_t versions = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name == "config.pbtxt") {
      problems.push_back(base::str_cat(
          it->path().string(), ": not read yet; the configuration is derived from the model"));
      continue;
    }
    std::error_code ignored;
    if (!it->is_directory(ignored)) continue;
    const auto version = version_number(name);
    if (!version) continue;
    ++versions;
    if (!highest || *version > *highest) {
      highest = version;
      source.version = *version;
      source.path = it->path().string();
    }
  }
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("folder '", folder.string(), "' can't be read: ", error.message()));
  }
  if (versions > 1) {
    problems.push_back(base::str_cat(folder.string(), ": of ", versions,
                                     " versions only the highest is served, ", source.version));
  }
  return source;
}

}  // namespace

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
  SN_TRY(check_name(source.name));
  return source;
}

base::Result<RepositoryContent> sources_from_repository(
    const std::string& folder, const std::function<bool(const std::string&)>& recognises) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return absl::NotFoundError(base::str_cat("model repository '", folder, "' is not a folder"));
  }
  RepositoryContent content;
  std::map<std::string, VersionSource> sources;
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    entries.push_back(it->path());
  }
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("model repository '", folder, "' can't be read: ", error.message()));
  }
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    if (entry.filename().string().starts_with('.')) continue;
    VersionSource source;
    if (fs::is_directory(entry, error)) {
      auto found = source_from_model_folder(entry, content.problems);
      if (!found.ok()) {
        content.problems.emplace_back(base::message(found.status()));
        continue;
      }
      source = *std::move(found);
    } else if (recognises(entry.string())) {
      source = {entry.stem().string(), 1, entry.string()};
    } else {
      content.problems.push_back(base::str_cat(entry.string(), ": not a model, skipped"));
      continue;
    }
    if (const base::Status named = check_name(source.name); !named.ok()) {
      content.problems.push_back(base::str_cat(entry.string(), ": ", named.message()));
      continue;
    }
    const auto [at, added] = sources.emplace(source.name, source);
    if (!added) {
      content.problems.push_back(base::str_cat(entry.string(), ": skipped, '", source.name,
                                               "' is already served from ", at->second.path));
    }
  }
  for (auto& [name, source] : sources) content.sources.push_back(std::move(source));
  return content;
}

}  // namespace supernova::model
