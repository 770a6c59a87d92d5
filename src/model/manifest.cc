#include "model/manifest.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/json_writer.h"
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

void append_tensors(std::string& out, const std::vector<tensor::TensorInfo>& infos) {
  out += '[';
  for (const tensor::TensorInfo& info : infos) {
    if (out.back() != '[') out += ',';
    out += "{\"name\":";
    base::append_json_string(out, info.name);
    out += ",\"datatype\":";
    base::append_json_string(out, tensor::data_type_name(info.data_type));
    out += ",\"shape\":" + (info.rank_known ? tensor::shape_to_string(info.shape) : "null") + "}";
  }
  out += ']';
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

std::string manifest_json(const Manifest& manifest) {
  std::string out = "{\"name\":";
  base::append_json_string(out, manifest.name);
  out += ",\"version\":" + std::to_string(manifest.version);
  const auto text = [&](const char* key, std::string_view value) {
    out += base::str_cat(",\"", key, "\":");
    base::append_json_string(out, value);
  };
  text("digest", manifest.content.digest);
  text("format", manifest.format);
  text("producer", manifest.producer);
  text("path", manifest.path);
  text("engine", manifest.engine);
  const auto since = manifest.loaded_at.time_since_epoch();
  out += ",\"loaded_at_ms\":";
  base::append_json_number(
      out, int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()});
  out += ",\"max_batch_size\":" + std::to_string(manifest.max_batch_size) + ",\"inputs\":";
  append_tensors(out, manifest.inputs);
  out += ",\"outputs\":";
  append_tensors(out, manifest.outputs);
  out += ",\"files\":[";
  for (const ManifestFile& file : manifest.content.files) {
    if (out.back() != '[') out += ',';
    out += "{\"path\":";
    base::append_json_string(out, file.path);
    out += ",\"byte_size\":";
    base::append_json_number(out, file.byte_size);
    out += ",\"sha256\":\"" + file.sha256 + "\"}";
  }
  return out + "]}";
}

}  // namespace supernova::model
