#include "import/importer.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace supernova::import {
namespace {

// What a checkout without Git LFS leaves in a model's place.
bool is_lfs_pointer(const std::string& path) {
  constexpr std::string_view kMark = "version https://git-lfs";
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::string start(kMark.size(), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return file && start == kMark;
}

}  // namespace

void ImporterRegistry::add(std::unique_ptr<Importer> importer) {
  importers_.push_back(std::move(importer));
}

bool ImporterRegistry::recognises(const std::string& path) const {
  return std::any_of(importers_.begin(), importers_.end(),
                     [&](const auto& importer) { return !importer->recognise(path).empty(); });
}

base::Result<ImporterRegistry::Choice> ImporterRegistry::choose(const std::string& path) const {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return absl::NotFoundError(base::str_cat("model '", path, "' does not exist"));
  }
  const bool folder = std::filesystem::is_directory(status);
  if (!folder && !std::filesystem::is_regular_file(status)) {
    return absl::InvalidArgumentError(
        base::str_cat("model '", path, "' is neither a file nor a folder"));
  }
  if (::access(path.c_str(), folder ? R_OK | X_OK : R_OK) != 0) {
    return absl::PermissionDeniedError(base::str_cat("model '", path, "' can't be read"));
  }
  if (!folder && std::filesystem::file_size(path, error) == 0 && !error) {
    return absl::InvalidArgumentError(base::str_cat("model file '", path, "' is empty"));
  }
  Choice choice;
  for (const auto& importer : importers_) {
    std::string file = importer->recognise(path);
    if (file.empty()) continue;
    if (choice.importer != nullptr) {
      return absl::InvalidArgumentError(base::str_cat(
          "'", path, "' holds two models: ", choice.importer->format(), " (", choice.file, ") and ",
          importer->format(), " (", file, "); name the file you mean"));
    }
    choice = {importer.get(), std::move(file)};
  }
  if (is_lfs_pointer(choice.importer != nullptr ? choice.file : path)) {
    return absl::InvalidArgumentError(base::str_cat(
        "'", choice.importer != nullptr ? choice.file : path,
        "' is a Git LFS pointer, not the model; fetch the model with 'git lfs pull'"));
  }
  if (choice.importer == nullptr) {
    return absl::InvalidArgumentError(
        base::str_cat("'", path, "' is not a model of a supported format (by content: ",
                      base::str_join(formats(), ", "), "); the file may be incomplete"));
  }
  return choice;
}

const Importer* ImporterRegistry::find(std::string_view format) const {
  for (const auto& importer : importers_) {
    if (importer->format() == format) return importer.get();
  }
  return nullptr;
}

base::Result<tensor::SourceFile> ImporterRegistry::identify(const std::string& path) const {
  SN_ASSIGN(Choice choice, choose(path));
  return tensor::SourceFile{std::string(choice.importer->format()), std::move(choice.file)};
}

base::Result<tensor::ImportedModel> ImporterRegistry::provide(const std::string& path,
                                                              const tensor::Options& options) {
  SN_ASSIGN(const Choice choice, choose(path));
  return choice.importer->import(choice.file, options);
}

std::vector<std::string> ImporterRegistry::formats() const {
  std::vector<std::string> names;
  for (const auto& importer : importers_) names.emplace_back(importer->format());
  return names;
}

}  // namespace supernova::import
