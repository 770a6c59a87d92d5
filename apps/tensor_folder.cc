#include "tensor_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <span>

#include "tensor/bytes.h"

namespace supernova::apps {
namespace {

namespace fs = std::filesystem;
using tensor::Shape;
using tensor::Tensor;

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);

// The number that an entry of such a folder has, if it has one: "12.npy", "12.json", or "12".
std::optional<size_t> number_of(const fs::path& entry) {
  const std::string extension = entry.extension().string();
  size_t number = 0;
  if (!extension.empty() && extension != ".npy" && extension != ".json") return std::nullopt;
  if (!base::parse_whole(entry.stem().string(), number)) return std::nullopt;
  return number;
}

// The entries of a folder in the order of their numbers, which must be 0, 1, 2, ...
base::Result<std::vector<fs::path>> numbered_entries(const fs::path& folder) {
  std::error_code error;
  std::map<size_t, fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path name = entry.path().filename();
    if (name.string().starts_with('.')) continue;
    const auto number = number_of(name);
    if (!number || !found.emplace(*number, entry.path()).second) {
      return absl::InvalidArgumentError(base::str_cat(
          "input folder '", folder.string(), "' holds '", name.string(),
          number ? "' and another of that number" : "'", "; 0.npy or 0.json, 1.npy, ... are read"));
    }
  }
  if (error) {
    return absl::NotFoundError(
        base::str_cat("input folder '", folder.string(), "' can't be read: ", error.message()));
  }
  std::vector<fs::path> entries;
  for (auto& [number, path] : found) {
    if (number != entries.size()) {
      return absl::InvalidArgumentError(
          base::str_cat("input folder '", folder.string(), "' has no number ", entries.size()));
    }
    entries.push_back(std::move(path));
  }
  return entries;
}

// Appends the file to `packed`, as it is: the engine decodes it.
base::Status read_tensor_file(const fs::path& path, std::string& packed) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return absl::InvalidArgumentError(base::str_cat("'", path.string(),
                                                    "' is a folder where a .npy or .json file is "
                                                    "expected"));
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream),
                            std::istreambuf_iterator<char>()};
  if (!stream.is_open() || stream.bad()) {
    return absl::NotFoundError(
        base::str_cat("input file '", path.string(), "' can't be read: ", std::strerror(errno)));
  }
  const size_t first = content.find_first_not_of(" \t\r\n");
  const bool json = first != std::string::npos && content[first] == '{';
  if (!json && !content.starts_with(kNpyMagic)) {
    return absl::InvalidArgumentError(
        base::str_cat("input file '", path.string(),
                      "' is neither .npy nor .json {\"shape\":[...],\"data\":[...]}"));
  }
  if (content.size() > std::numeric_limits<uint32_t>::max()) {
    return absl::ResourceExhaustedError(base::str_cat(
        "input file '", path.string(), "' has ", content.size(), " bytes; 4294967295 can be sent"));
  }
  tensor::pack_bytes(packed, content);
  return {};
}

// Adds what the folder holds to `packed`; `shape` gets its sizes from `level` on.
base::Status read_level(const fs::path& folder, size_t level, bool first, Shape& shape,
                        std::string& packed) {
  SN_ASSIGN(const std::vector<fs::path> entries, numbered_entries(folder));
  const auto size = static_cast<int64_t>(entries.size());
  if (first) shape[level] = size;
  if (shape[level] != size) {
    return absl::InvalidArgumentError(base::str_cat("input folder '", folder.string(), "' holds ",
                                                    size, " tensors, others beside it ",
                                                    shape[level]));
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    SN_TRY(level + 1 < shape.size()
               ? read_level(entries[i], level + 1, first && i == 0, shape, packed)
               : read_tensor_file(entries[i], packed));
  }
  return {};
}

// Removes numbered files, and numbered folders that then are empty.
void remove_numbered(const fs::path& folder, size_t levels) {
  std::error_code error;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (number_of(entry.path().filename())) entries.push_back(entry.path());
  }
  for (const fs::path& entry : entries) {
    if (levels > 1 && fs::is_directory(entry, error)) remove_numbered(entry, levels - 1);
    fs::remove(entry, error);  // a folder only when empty
  }
}

base::Status cannot_write(const fs::path& path, const std::string& reason) {
  return absl::UnavailableError(
      base::str_cat("output '", path.string(), "' can't be written: ", reason));
}

base::Status write_level(const fs::path& folder, std::span<const int64_t> shape,
                         const std::string_view*& next) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return cannot_write(folder, error.message());
  for (int64_t i = 0; i < shape.front(); ++i) {
    if (shape.size() > 1) {
      SN_TRY(write_level(folder / std::to_string(i), shape.subspan(1), next));
      continue;
    }
    const std::string_view content = *next++;
    const fs::path file =
        folder / (std::to_string(i) + (content.starts_with(kNpyMagic) ? ".npy" : ".json"));
    std::ofstream stream(file, std::ios::binary);
    stream << content;
    stream.close();
    if (!stream) return cannot_write(file, std::strerror(errno));
  }
  return {};
}

}  // namespace

base::Result<Tensor> read_tensor_files(const std::vector<std::string>& paths,
                                       const Shape& declared) {
  Tensor tensor;
  tensor.data_type = tensor::DataType::kBytes;
  if (declared.empty()) return absl::InternalError("a tensor without dimensions has no folder");
  std::string packed;
  std::error_code error;
  if (paths.size() == 1 && fs::is_directory(paths.front(), error)) {
    for (const int64_t size : declared) tensor.shape.push_back(std::max<int64_t>(size, 0));
    SN_TRY(read_level(paths.front(), 0, true, tensor.shape, packed));
  } else {
    tensor.shape.assign(declared.size(), 1);
    tensor.shape.back() = static_cast<int64_t>(paths.size());
    for (const std::string& path : paths) SN_TRY(read_tensor_file(path, packed));
  }
  tensor.buffer = tensor::Buffer::copy_of(packed);
  return tensor;
}

base::Status write_tensor_folder(const Tensor& tensor, const std::string& path) {
  SN_ASSIGN(const int64_t count, tensor::element_count(tensor.shape));
  SN_ASSIGN(const auto elements, tensor::unpack_bytes(tensor.buffer.view(), count));
  if (tensor.shape.empty()) return absl::InternalError("a tensor without dimensions has no folder");
  remove_numbered(path, tensor.shape.size());
  const std::string_view* next = elements.data();
  return write_level(path, tensor.shape, next);
}

}  // namespace supernova::apps
