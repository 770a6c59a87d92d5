#include "compile/weights_place.h"

#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;

// The same place under a name of `size` letters; nothing where it has more.
std::optional<std::string> stretched(const std::string& name, size_t size) {
  constexpr std::string_view kHere = "./";
  if (name.size() == size) return name;
  if (name.size() + kHere.size() > size) return std::nullopt;
  std::string out;
  while (out.size() + kHere.size() + name.size() <= size) out += kHere;
  if (out.size() + name.size() < size) out += '/';  // as good as one
  return out + name;
}

}  // namespace

base::Status place_weights(tensor::Artefact& artefact, const std::string& file,
                           std::shared_ptr<const void> keeper) {
  std::error_code error;
  const fs::path path = fs::absolute(file, error);
  const auto name = stretched(path.filename().string(), tensor::kWeightsPlace.size());
  if (error || !name) {
    return absl::InternalError(base::str_cat("'", file, "' can't be named to an engine"));
  }
  tensor::Buffer bytes = tensor::Buffer::copy_of(artefact.bytes.view());
  const std::string_view text = bytes.view();
  for (size_t at = text.find(tensor::kWeightsPlace); at != std::string_view::npos;
       at = text.find(tensor::kWeightsPlace, at + name->size())) {
    std::memcpy(bytes.data() + at, name->data(), name->size());
  }
  artefact.bytes = std::move(bytes);
  artefact.path = path.parent_path().string();
  tensor::Buffer mapped = std::move(artefact.weights);
  artefact.weights = tensor::Buffer::adopt(
      mapped.data(), mapped.size(), [mapped, kept = std::move(keeper)]() mutable { kept.reset(); });
  return {};
}

}  // namespace supernova::compile
