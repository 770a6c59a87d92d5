#include "model/repository.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "model/config_text.h"
#include "model/warm_up_samples.h"

namespace supernova::model {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxDepth = 16;
constexpr size_t kMaxFiles = 100'000;

// FNV-1a, 64 bit.
class Fingerprint {
 public:
  void add(std::string_view text) {
    for (const char c : text) byte(static_cast<unsigned char>(c));
    byte(0);
  }
  void add(uint64_t number) {
    for (int i = 0; i < 8; ++i) byte(static_cast<unsigned char>(number >> (8 * i)));
  }
  uint64_t value() const { return hash_; }

 private:
  void byte(unsigned char value) { hash_ = (hash_ ^ value) * 0x100000001b3U; }
  uint64_t hash_ = 0xcbf29ce484222325U;
};

void add_stat(Fingerprint& to, const struct stat& info) {
  to.add(static_cast<uint64_t>(info.st_size));
  to.add(static_cast<uint64_t>(info.st_mtim.tv_sec));
  to.add(static_cast<uint64_t>(info.st_mtim.tv_nsec));
  to.add(static_cast<uint64_t>(info.st_ino));
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

// The entries of a folder by name, without hidden ones.
base::Result<std::vector<fs::path>> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!hidden(it->path())) entries.push_back(it->path());
  }
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("folder '", folder.string(), "' can't be read: ", error.message()));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Adds what lies at `path`, folders with all that is in them.
base::Status add_tree(const fs::path& path, int depth, size_t& files, Fingerprint& to,
                      uint64_t& bytes) {
  struct stat info {};
  if (++files > kMaxFiles || depth > kMaxDepth) {
    return absl::InvalidArgumentError(base::str_cat("'", path.string(), "' holds too many files"));
  }
  to.add(path.filename().string());
  // A dangling link is its name; the importer says what is missing.
  if (::stat(path.c_str(), &info) != 0) return {};
  if (!S_ISDIR(info.st_mode)) {
    add_stat(to, info);
    bytes += static_cast<uint64_t>(info.st_size);
    return {};
  }
  SN_ASSIGN(const auto entries, entries_of(path));
  for (const fs::path& entry : entries) SN_TRY(add_tree(entry, depth + 1, files, to, bytes));
  return {};
}

base::Result<SeenVersion> look_at_version(int64_t number, const fs::path& path) {
  SeenVersion version{number, path.string(), "", 0, 0};
  Fingerprint fingerprint;
  size_t files = 0;
  SN_TRY(add_tree(path, 0, files, fingerprint, version.byte_size));
  version.fingerprint = fingerprint.value();
  if (!is_folder(path)) return version;
  SN_ASSIGN(const auto entries, entries_of(path));
  if (entries.size() == 1 && is_folder(entries[0]) &&
      entries[0].filename().string().starts_with("model.")) {
    version.inner = entries[0].filename().string();
  }
  return version;
}

std::optional<int64_t> version_number(const std::string& text) {
  int64_t number = 0;
  if (!base::parse_whole(text, number)) return std::nullopt;
  return number;
}

base::Status read_config(const fs::path& file, SeenModel& model) {
  std::error_code error;
  const uintmax_t size = fs::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream) {
    return absl::PermissionDeniedError(base::str_cat("'", file.string(), "' can't be read"));
  }
  if (size > kMaxConfigBytes) {
    return absl::InvalidArgumentError(base::str_cat("'", file.string(), "' is too large (", size,
                                                    " bytes; at most ", kMaxConfigBytes, ")"));
  }
  model.has_config = true;
  model.config_text.assign(std::istreambuf_iterator<char>(stream), {});
  return {};
}

// The parts of a model's folder; a Status only for what makes all of it unservable.
base::Status look_into_model_folder(SeenModel& model, const Recognises& recognises,
                                    std::vector<std::string>& problems) {
  SN_ASSIGN(const auto entries, entries_of(model.folder));
  Fingerprint beside;
  std::vector<std::string> other_folders;
  bool other_files = false;
  std::set<int64_t> numbers;
  for (const fs::path& entry : entries) {
    const std::string name = entry.filename().string();
    struct stat info {};
    if (!is_folder(entry)) {
      beside.add(name);
      if (::stat(entry.c_str(), &info) == 0) add_stat(beside, info);
      if (name != "config.pbtxt") {
        other_files = true;
      } else {
        SN_TRY(read_config(entry, model));
      }
      continue;
    }
    const auto number = version_number(name);
    if (name == kWarmUpFolder) {
      // What can't be read of it is said when it is needed.
      size_t files = 0;
      uint64_t bytes = 0;
      (void)add_tree(entry, 0, files, beside, bytes);
      continue;
    }
    if (!number) {
      other_folders.push_back(entry.string());
      continue;
    }
    if (!numbers.insert(*number).second) {
      return absl::InvalidArgumentError(base::str_cat("'", model.folder, "' has two folders for ",
                                                      "version ", *number, "; keep one"));
    }
    auto version = look_at_version(*number, entry);
    if (version.ok()) {
      model.versions.push_back(*std::move(version));
    } else {
      problems.push_back(base::str_cat(base::message(version.status()), "; version ", *number,
                                       " of '", model.name, "' is left out"));
    }
  }
  model.fingerprint = beside.value();
  std::sort(model.versions.begin(), model.versions.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  if (!model.versions.empty()) {
    for (const std::string& folder : other_folders) {
      problems.push_back(
          base::str_cat("'", folder, "' is no version: its name is no whole number"));
    }
    return {};
  }
  if (!numbers.empty()) {
    return absl::PermissionDeniedError(
        base::str_cat("no version folder of '", model.folder, "' can be read"));
  }
  if (recognises(model.folder) || other_files) {
    SN_ASSIGN(auto version, look_at_version(1, model.folder));
    model.versions.push_back(std::move(version));
    return {};
  }
  const std::string named =
      other_folders.empty() ? "" : base::str_cat("; '", other_folders[0], "' is no version number");
  return absl::NotFoundError(base::str_cat(
      "'", model.folder, "' holds neither a version folder (1, 2, ...) nor a ", "model", named));
}

SeenModel look_at_folder(std::string name, const std::string& folder, const Recognises& recognises,
                         std::vector<std::string>& problems) {
  SeenModel model;
  model.name = std::move(name);
  model.place = model.folder = folder;
  const base::Status status = look_into_model_folder(model, recognises, problems);
  if (!status.ok()) {
    model.problem = std::string(base::message(status));
    problems.push_back(model.problem);
  }
  return model;
}

SeenModel look_at_file(std::string name, const std::string& file) {
  SeenModel model;
  model.name = std::move(name);
  model.place = file;
  // A bare file is one entry: this can't fail.
  auto version = look_at_version(1, file);
  if (version.ok()) model.versions.push_back(*std::move(version));
  return model;
}

uint64_t identity_of(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return 0;
  Fingerprint fingerprint;
  fingerprint.add(static_cast<uint64_t>(info.st_dev));
  fingerprint.add(static_cast<uint64_t>(info.st_ino));
  return fingerprint.value();
}

void refuse_twice(SeenModel& kept, const SeenModel& other) {
  kept.problem = base::str_cat("model '", kept.name, "' is there twice: ", kept.place, " and ",
                               other.place, "; rename one or take it away");
  kept.versions.clear();
}

}  // namespace

Look look_at_repository(const std::string& folder, const Recognises& recognises,
                        std::string_view only) {
  Look look;
  look.place = folder;
  if (!is_folder(folder)) {
    look.status =
        absl::NotFoundError(base::str_cat("model repository '", folder, "' is not a folder"));
    return look;
  }
  look.identity = identity_of(folder);
  const auto entries = entries_of(folder);
  if (!entries.ok()) {
    look.status = base::annotate(entries.status(), "model repository");
    return look;
  }
  std::map<std::string, SeenModel> models;
  for (const fs::path& entry : *entries) {
    const bool is_a_folder = is_folder(entry);
    std::string name = is_a_folder ? entry.filename().string() : entry.stem().string();
    if (!only.empty() && name != only) continue;
    if (!is_a_folder && !recognises(entry.string())) {
      look.problems.push_back(base::str_cat(entry.string(), ": not a model, skipped"));
      continue;
    }
    if (const base::Status named = check_model_name(name); !named.ok()) {
      look.problems.push_back(base::str_cat(entry.string(), ": ", base::message(named)));
      continue;
    }
    SeenModel model = is_a_folder ? look_at_folder(name, entry.string(), recognises, look.problems)
                                  : look_at_file(name, entry.string());
    const auto at = models.find(name);
    if (at == models.end()) {
      models.emplace(std::move(name), std::move(model));
    } else {
      refuse_twice(at->second, model);
      look.problems.push_back(at->second.problem);
    }
  }
  for (auto& [name, model] : models) look.models.push_back(std::move(model));
  return look;
}

std::vector<std::string> names_in_repository(const std::string& folder,
                                             const Recognises& recognises) {
  std::vector<std::string> names;
  const auto entries = entries_of(folder);
  if (!entries.ok()) return names;
  for (const fs::path& entry : *entries) {
    const bool is_a_folder = is_folder(entry);
    std::string name = is_a_folder ? entry.filename().string() : entry.stem().string();
    if (!check_model_name(name).ok()) continue;
    if (is_a_folder || recognises(entry.string())) names.push_back(std::move(name));
  }
  return names;
}

Look look_at_model(const VersionSource& source, const Recognises& recognises) {
  Look look;
  look.place = source.path;
  look.models.push_back(is_folder(source.path)
                            ? look_at_folder(source.name, source.path, recognises, look.problems)
                            : look_at_file(source.name, source.path));
  return look;
}

Look believe(const Look& before, const Look& now) {
  Look believed = before;
  if (!now.status.ok()) {
    believed.status = now.status;
    return believed;
  }
  if (now.models.empty() && !before.models.empty() && now.identity != before.identity) {
    believed.status = absl::UnavailableError(
        base::str_cat("model repository '", now.place, "' is another folder now, with nothing in ",
                      "it; its models go on serving"));
    return believed;
  }
  return now;
}

SeenModels merge(const std::vector<Look>& looks) {
  SeenModels models;
  for (const Look& look : looks) {
    for (const SeenModel& model : look.models) {
      const auto [at, added] = models.emplace(model.name, model);
      if (!added) refuse_twice(at->second, model);
    }
  }
  return models;
}

}  // namespace supernova::model
