#include "import/onnx/external_data.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "import/onnx/schema.h"
#include "tensor/shape.h"

namespace supernova::import::onnx {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxRank = 64;
constexpr int64_t kExternal = 1;  // TensorProto.DataLocation

base::Status read_entry(Place place, TensorHead& head) {
  std::string_view key;
  std::string_view value;
  Fields fields(place, kEntryType);
  while (fields.next()) {
    if (fields.number() == entry::kKey) key = fields.view();
    if (fields.number() == entry::kValue) value = fields.view();
  }
  if (key == "location") head.location = value;
  if (key == "offset") head.offset = value;
  if (key == "length") head.length = value;
  return fields.status();
}

base::Result<std::optional<uint64_t>> shape_bytes(const TensorHead& head) {
  const uint64_t bits = element_bits(head.element_type);
  if (bits == 0) return std::nullopt;
  SN_ASSIGN(const int64_t count, tensor::element_count(head.dims));
  uint64_t total = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(count), bits, &total)) {
    return absl::InvalidArgumentError("its shape has more bytes than can be counted");
  }
  return total / 8 + (total % 8 != 0 ? 1 : 0);
}

base::Result<uint64_t> number(std::string_view text, std::string_view what) {
  uint64_t value = 0;
  if (!base::parse_whole(text, value)) {
    return absl::InvalidArgumentError(
        base::str_cat("its ", what, " '", text.substr(0, 40), "' is not a number of bytes"));
  }
  return value;
}

// The file's real path, or why it may not be used.
base::Result<fs::path> locate(const std::string& location, const fs::path& folder) {
  if (location.empty()) return absl::InvalidArgumentError("the file's name is missing");
  if (location.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the file's name has a zero byte in it");
  }
  // The runtime takes names of this form for addresses in its own memory.
  if (location.find("_MEM_ADDR_") != std::string::npos) {
    return absl::InvalidArgumentError("names of this form are not files; export the model again");
  }
  const fs::path relative(location);
  const bool upwards = std::find(relative.begin(), relative.end(), "..") != relative.end();
  if (relative.is_absolute() || upwards) {
    return absl::InvalidArgumentError(
        "only files in the model's own folder are read; save the weights beside the model");
  }
  std::error_code error;
  const fs::path real = fs::canonical(folder / relative, error);
  if (error == std::errc::no_such_file_or_directory) {
    return absl::NotFoundError(
        base::str_cat("there is no such file in ", folder.string(), "; copy it beside the model"));
  }
  if (error) return absl::InvalidArgumentError(error.message());
  const auto [at, _] = std::mismatch(folder.begin(), folder.end(), real.begin(), real.end());
  if (at != folder.end()) {
    return absl::InvalidArgumentError(
        "it is a link that leads out of the model's folder; put the file itself there");
  }
  if (!fs::is_regular_file(real, error)) {
    return absl::InvalidArgumentError("that is not a regular file");
  }
  if (::access(real.c_str(), R_OK) != 0) return absl::PermissionDeniedError("it can't be read");
  return real;
}

base::Result<DataFile> open_data_file(const std::string& location, const fs::path& folder) {
  DataFile file;
  SN_ASSIGN(const fs::path path, locate(location, folder));
  file.path = path.string();
  std::error_code error;
  file.size = fs::file_size(file.path, error);
  if (error) return absl::InvalidArgumentError(error.message());
  return file;
}

base::Status check_extent(const ExternalTensor& tensor, uint64_t size) {
  const uint64_t length = tensor.length.value_or(0);
  if (tensor.offset <= size && length <= size - tensor.offset) return absl::OkStatus();
  return absl::InvalidArgumentError(base::str_cat("needs ", length, " bytes from byte ",
                                                  tensor.offset, ", but the file has ", size,
                                                  "; it may be incomplete"));
}

}  // namespace

base::Result<TensorHead> read_tensor_head(Place place) {
  TensorHead head;
  Fields fields(place, kTensorType);
  while (fields.next()) {
    switch (fields.number()) {
      case tensor_field::kDims:
        SN_TRY(fields.each_varint([&](int64_t size) {
          if (head.dims.size() <= kMaxRank) head.dims.push_back(size);
        }));
        break;
      case tensor_field::kDataType:
        head.element_type = fields.signed_value();
        break;
      case tensor_field::kName:
        head.name = fields.view();
        break;
      case tensor_field::kExternal:
        SN_TRY(read_entry(fields.place(), head));
        break;
      case tensor_field::kLocation:
        head.external = fields.signed_value() == kExternal;
        break;
      default:
        break;
    }
  }
  SN_TRY(fields.status());
  if (head.dims.size() > kMaxRank) {
    return absl::InvalidArgumentError(
        base::str_cat("tensor '", head.name, "' has more than ", kMaxRank, " dimensions"));
  }
  return head;
}

base::Result<ExternalTensor> external_tensor(const TensorHead& head, std::string_view name) {
  ExternalTensor out{std::string(name), std::string(head.location), 0, std::nullopt};
  const auto fill = [&]() -> base::Status {
    if (!head.offset.empty()) {
      SN_ASSIGN(out.offset, number(head.offset, "offset"));
    }
    SN_ASSIGN(out.length, shape_bytes(head));
    if (head.length.empty()) return absl::OkStatus();
    SN_ASSIGN(const uint64_t length, number(head.length, "length"));
    if (out.length && *out.length != length) {
      return absl::InvalidArgumentError(
          base::str_cat("its shape needs ", *out.length, " bytes, but its length is ", length));
    }
    out.length = length;
    return absl::OkStatus();
  };
  const base::Status status = fill();
  if (!status.ok()) {
    return base::annotate(
        status, base::str_cat("tensor '", name, "' (data in file '", head.location, "')"));
  }
  return out;
}

base::Result<std::vector<DataFile>> check_external_data(std::span<const ExternalTensor> tensors,
                                                        const std::string& folder) {
  std::vector<DataFile> used;
  if (tensors.empty()) return used;
  std::error_code error;
  const fs::path root = fs::canonical(folder.empty() ? "." : folder, error);
  if (error) {
    return absl::InvalidArgumentError(
        base::str_cat("the model's folder '", folder, "': ", error.message()));
  }
  std::map<std::string, DataFile> files;
  std::set<std::string> counted;
  for (const ExternalTensor& tensor : tensors) {
    const std::string where =
        base::str_cat("tensor '", tensor.tensor, "' (data in file '", tensor.location, "')");
    auto found = files.find(tensor.location);
    if (found == files.end()) {
      const base::Result<DataFile> file = open_data_file(tensor.location, root);
      if (!file.ok()) return base::annotate(file.status(), where);
      if (counted.insert(file->path).second) used.push_back(*file);
      found = files.emplace(tensor.location, *file).first;
    }
    SN_TRY(base::annotate(check_extent(tensor, found->second.size), where));
  }
  return used;
}

}  // namespace supernova::import::onnx
