#include "import/onnx/recognise.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include "import/onnx/schema.h"
#include "import/wire/model_file.h"
#include "import/wire/model_folder.h"

namespace supernova::import::onnx {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxIrVersion = 1000;
// A schema that grew; far below the field numbers that other schemas are recognised by.
constexpr uint32_t kMaxUnknownField = 63;

// What lies beside models and is none, and may be large.
constexpr std::array<std::string_view, 14> kOtherExtensions{
    ".npy",   ".npz", ".json", ".txt", ".md",  ".bin", ".data",
    ".pbtxt", ".jpg", ".png",  ".csv", ".wav", ".so",  ".zip"};

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return extension;
}

bool has_our_extension(const fs::path& path) {
  const std::string extension = lower_extension(path);
  return extension == ".onnx" || extension == ".ort";
}

bool is_other_file(const fs::path& path) {
  const std::string extension = lower_extension(path);
  return path.filename().string().starts_with('.') ||
         std::find(kOtherExtensions.begin(), kOtherExtensions.end(), extension) !=
             kOtherExtensions.end();
}

// A graph has at least something that other messages don't have in these places.
bool is_graph(Place place) {
  bool something = false;
  Fields fields(place, kGraphType);
  while (fields.next()) {
    if (!fields.known() && fields.number() > kMaxUnknownField) return false;
    something |= fields.known();
    if (fields.number() == graph::kNode) {
      Fields node(fields.place(), kNodeType);
      while (node.next()) {
      }
      if (!node.status().ok()) return false;
    }
  }
  return fields.status().ok() && something;
}

}  // namespace

bool is_model(std::string_view content) {
  bool has_graph = false;
  bool has_version = false;
  bool has_opset = false;
  Fields fields({content, content}, kModelType);
  while (fields.next()) {
    if (!fields.known() && fields.number() > kMaxUnknownField) return false;
    switch (fields.number()) {
      case model::kIrVersion:
        if (fields.signed_value() < 1 || fields.signed_value() > kMaxIrVersion) return false;
        has_version = true;
        break;
      case model::kOpset:
        has_opset = true;
        break;
      case model::kGraph:
        if (!is_graph(fields.place())) return false;
        has_graph = true;
        break;
      default:
        break;
    }
  }
  return fields.status().ok() && has_graph && (has_version || has_opset);
}

bool is_ort_format(std::string_view content) {
  return content.size() >= 8 && content.substr(4, 4) == "ORTM";
}

bool is_lfs_pointer(std::string_view content) {
  return content.starts_with("version https://git-lfs");
}

bool claims_file(const std::string& path) {
  const base::Result<wire::ModelFile> file =
      wire::ModelFile::open(path, wire::ModelFile::Mode::kMap);
  if (!file.ok()) return false;
  return has_our_extension(path) || is_ort_format(file->bytes()) || is_model(file->bytes());
}

std::vector<std::string> models_in(const std::string& folder) {
  return wire::files_in(
      folder, [](const std::string& path) { return !is_other_file(path) && claims_file(path); });
}

std::string find_model(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return claims_file(path) ? path : "";
  const fs::path preferred = fs::path(path) / "model.onnx";
  // A model with external data may be a folder of that name.
  if (fs::is_directory(preferred, error)) {
    return fs::is_directory(preferred / "model.onnx", error) ? "" : find_model(preferred.string());
  }
  if (claims_file(preferred.string())) return preferred.string();
  const std::vector<std::string> found = models_in(path);
  if (found.empty()) return "";
  return found.size() == 1 ? found.front() : path;
}

}  // namespace supernova::import::onnx
