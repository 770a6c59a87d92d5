#include "model/manifest.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/sha256.h"

namespace supernova::model {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = 1 << 18;
constexpr size_t kMaxFiles = 100'000;

base::Result<std::string> hex(base::Sha256Sum& sum) {
  std::string text = sum.finish_hex();
  if (text.empty()) return absl::InternalError("OpenSSL computes no SHA-256 here");
  return text;
}

base::Result<ManifestFile> digest_file(const fs::path& file, std::string name,
                                       const std::function<bool()>& cancelled) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rb"),
                                                               &std::fclose);
  if (!stream) {
    return absl::PermissionDeniedError(base::str_cat("'", file.string(), "' can't be read"));
  }
  base::Sha256Sum sum;
  ManifestFile digested{std::move(name), 0, ""};
  std::vector<char> piece(kPiece);
  while (const size_t size = std::fread(piece.data(), 1, piece.size(), stream.get())) {
    if (cancelled()) return absl::CancelledError("not needed any more");
    sum.add(piece.data(), size);
    digested.byte_size += size;
  }
  if (std::ferror(stream.get()) != 0) {
    return absl::DataLossError(base::str_cat("'", file.string(), "' can't be read to its end"));
  }
  SN_ASSIGN(digested.sha256, hex(sum));
  return digested;
}

base::Result<std::vector<fs::path>> files_under(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  const auto follow = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator it(folder, follow, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().filename().string().starts_with('.')) {
      it.disable_recursion_pending();
      continue;
    }
    std::error_code ignored;
    if (it.depth() > 16 || files.size() > kMaxFiles) {
      return absl::InvalidArgumentError(
          base::str_cat("'", folder.string(), "' holds too many files"));
    }
    if (it->is_regular_file(ignored)) files.push_back(it->path());
  }
  if (error) {
    return absl::PermissionDeniedError(
        base::str_cat("folder '", folder.string(), "' can't be read: ", error.message()));
  }
  return files;
}

}  // namespace

base::Result<ContentDigest> digest_content(const std::string& path,
                                           const std::function<bool()>& cancelled) {
  ContentDigest content;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    SN_ASSIGN(const auto files, files_under(path));
    for (const fs::path& file : files) {
      SN_ASSIGN(auto digested,
                digest_file(file, file.lexically_relative(path).generic_string(), cancelled));
      content.files.push_back(std::move(digested));
    }
    std::sort(content.files.begin(), content.files.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
  } else {
    SN_ASSIGN(auto digested, digest_file(path, fs::path(path).filename().string(), cancelled));
    content.files.push_back(std::move(digested));
  }
  base::Sha256Sum all;
  for (const ManifestFile& file : content.files) {
    const std::string line = base::str_cat(file.sha256, "  ", file.path, "\n");
    all.add(line.data(), line.size());
  }
  SN_ASSIGN(const std::string whole, hex(all));
  content.digest = "sha256:" + whole;
  return content;
}

}  // namespace supernova::model
