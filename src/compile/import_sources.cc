#include "compile/import_sources.h"

#include <algorithm>
#include <filesystem>

#include "compile/imported_record.h"
#include "compile/key.h"

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;

// Instead of names: whatever lies in the folder.
constexpr char kWholeFolder[] = "*";

// A model of several files is often named by its smallest.
uint64_t largest_beside(const std::string& folder) {
  uint64_t largest = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (!it->is_regular_file(ignored)) continue;
    const uintmax_t size = it->file_size(ignored);
    if (!ignored) largest = std::max<uint64_t>(largest, size);
  }
  return largest;
}

}  // namespace

ImportSources::ImportSources(const FileDigests& digests,
                             const import::ImporterRegistry::Choice& choice,
                             const tensor::Options& options, const std::string& producer)
    : digests_(digests),
      file_(choice.file),
      folder_(folder_of(choice.file)),
      looked_at_ns_(FileDigests::now_ns()),
      listing_(std::string()) {
  std::error_code error;
  const bool is_folder = fs::is_directory(file_, error);
  base::Result<std::vector<DigestedFile>> files = digests.digest_all(file_);
  if (!files.ok()) return;
  files_ = *std::move(files);
  own_files_ = static_cast<ptrdiff_t>(files_.size());
  KeyBuilder key;
  key.add("import").add(producer).add(choice.importer->format());
  key.add(base::str_cat(choice.importer->version())).add(options);
  key.add(fs::path(file_).filename().string());
  for (const DigestedFile& file : files_) {
    if (is_folder) key.add(fs::path(file.path).lexically_relative(file_).string());
    key.add(file.digest);
    byte_size_ += file.identity.size;
  }
  base_key_ = key.finish();
  if (is_folder) return;
  byte_size_ += largest_beside(folder_);
  listing_ = digests.list(folder_);
}

std::string ImportSources::names_key() const {
  return base_key_.empty() ? "" : KeyBuilder().add("names").add(base_key_).finish();
}

std::vector<std::string> ImportSources::names_of(const tensor::ImportedModel& model) const {
  std::error_code error;
  if (model.sources.empty()) {
    // A folder has been looked at as a whole.
    return fs::is_directory(file_, error) ? std::vector<std::string>()
                                          : std::vector<std::string>{kWholeFolder};
  }
  std::vector<std::string> names;
  for (const std::string& source : model.sources) {
    const bool own = std::any_of(files_.begin(), files_.begin() + own_files_,
                                 [&](const DigestedFile& file) { return file.path == source; });
    if (own) continue;
    const std::string relative = fs::path(source).lexically_relative(folder_).string();
    const bool inside = !relative.empty() && !relative.starts_with("..");
    names.push_back(inside ? relative : source);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ImportSources::path_of(const std::string& name) const {
  return name.starts_with('/') ? name : base::str_cat(folder_, "/", name);
}

const DigestedFile* ImportSources::known(const std::string& path) const {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const DigestedFile& file) { return file.path == path; });
  return found != files_.end() ? &*found : nullptr;
}

base::Result<std::string> ImportSources::key_of(const std::vector<std::string>& names) {
  if (base_key_.empty()) return absl::FailedPreconditionError("its files can't be looked at");
  KeyBuilder key;
  key.add("artefact").add(base_key_);
  for (const std::string& name : names) {
    key.add(name);
    if (name == kWholeFolder) {
      if (!listing_.ok()) return listing_.status();
      key.add(*listing_);
      continue;
    }
    const DigestedFile* file = known(path_of(name));
    if (file == nullptr) {
      return absl::InternalError(base::str_cat("'", name, "' was not looked at"));
    }
    key.add(file->digest);
  }
  return key.finish();
}

std::string ImportSources::find_key(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name == kWholeFolder || known(path_of(name)) != nullptr) continue;
    base::Result<DigestedFile> file = digests_.digest(path_of(name));
    if (!file.ok()) return "";  // gone: the import will say so
    files_.push_back(*std::move(file));
  }
  return key_of(names).value_or("");
}

base::Result<std::string> ImportSources::keep_key(const std::vector<std::string>& names) {
  SN_TRY(digests_.check_unchanged(files_));
  for (const std::string& name : names) {
    if (name == kWholeFolder) {
      SN_ASSIGN(const std::string now, digests_.list(folder_));
      if (!listing_.ok() || now != *listing_) {
        return absl::FailedPreconditionError(
            base::str_cat("folder '", folder_, "' changed while a model in it was imported"));
      }
      continue;
    }
    if (known(path_of(name)) != nullptr) continue;
    // Not known before; so it must not have changed since.
    SN_ASSIGN(DigestedFile file, digests_.digest(path_of(name)));
    if (!digests_.is_settled(file.identity, looked_at_ns_)) {
      return absl::FailedPreconditionError(base::str_cat("'", file.path, "' has just changed"));
    }
    files_.push_back(std::move(file));
  }
  return key_of(names);
}

}  // namespace supernova::compile
