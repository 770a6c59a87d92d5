#include "engine/onnxruntime/align_weights.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace supernova::engine::onnxruntime {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLarge = 1024;  // bytes; smaller weights are not worth moving
constexpr uint64_t kMaxSize = (uint64_t{1} << 31U) - 1;
// Numbers of fields in the tables of ONNX Runtime's schema (onnxruntime/core/flatbuffers/schema).
constexpr size_t kSessionModel = 1;
constexpr size_t kModelGraph = 7;
constexpr size_t kGraphInitializers = 0;
constexpr size_t kTensorRawData = 4;

// A flatbuffer, read with every step checked. Places are offsets from its start.
class Flatbuffer {
 public:
  explicit Flatbuffer(std::string_view bytes) : bytes_(bytes) {}

  std::optional<size_t> root() const { return follow(0); }
  // Where the field of a table lies; nothing when it is absent.
  std::optional<size_t> field(std::optional<size_t> table, size_t number) const {
    const auto back = read<int32_t>(table);
    if (!back) return std::nullopt;
    const int64_t vtable = static_cast<int64_t>(*table) - *back;
    if (vtable < 0) return std::nullopt;
    const auto start = static_cast<size_t>(vtable);
    const auto size = read<uint16_t>(start);
    const size_t entry = 2 * sizeof(uint16_t) + number * sizeof(uint16_t);
    if (!size || entry + sizeof(uint16_t) > *size) return std::nullopt;
    const auto offset = read<uint16_t>(start + entry);
    if (!offset || *offset == 0) return std::nullopt;
    return *table + *offset;
  }
  // What the reference at `place` refers to.
  std::optional<size_t> follow(std::optional<size_t> place) const {
    const auto offset = read<uint32_t>(place);
    if (!offset || *offset > bytes_.size() - *place) return std::nullopt;
    return *place + *offset;
  }
  // The number of elements of a vector whose elements take `element` bytes, if it is whole.
  std::optional<size_t> vector_size(std::optional<size_t> vector, size_t element) const {
    const auto count = read<uint32_t>(vector);
    if (!count) return std::nullopt;
    const size_t room = bytes_.size() - *vector - sizeof(uint32_t);
    if (*count > room / element) return std::nullopt;
    return *count;
  }

 private:
  template <typename T>
  std::optional<T> read(std::optional<size_t> place) const {
    if (!place || *place > bytes_.size() || bytes_.size() - *place < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + *place, sizeof(T));
    return value;
  }

  std::string_view bytes_;
};

struct Weights {
  size_t reference = 0;  // to the vector: what is changed when it moves
  size_t vector = 0;
  size_t size = 0;
};

std::vector<Weights> large_weights(const Flatbuffer& model) {
  std::vector<Weights> found;
  const auto graph = model.follow(
      model.field(model.follow(model.field(model.root(), kSessionModel)), kModelGraph));
  const auto tensors = model.follow(model.field(graph, kGraphInitializers));
  const size_t count = model.vector_size(tensors, sizeof(uint32_t)).value_or(0);
  for (size_t i = 0; i < count; ++i) {
    const auto tensor = model.follow(*tensors + sizeof(uint32_t) * (i + 1));
    const auto reference = model.field(tensor, kTensorRawData);
    const auto vector = model.follow(reference);
    const size_t size = model.vector_size(vector, 1).value_or(0);
    if (size >= kLarge) found.push_back({*reference, *vector, size});
  }
  return found;
}

}  // namespace

std::string align_weights(std::string_view model) {
  std::string out(model);
  const std::vector<Weights> all = large_weights(Flatbuffer(model));
  uint64_t grown = model.size();
  for (const Weights& weights : all) grown += weights.size + kAlignment + sizeof(uint32_t);
  if (grown > kMaxSize) return out;
  out.reserve(grown);
  for (const Weights& weights : all) {
    // The size of a vector stands in front of its first element.
    const size_t start = out.size() + sizeof(uint32_t);
    out.append((kAlignment - start % kAlignment) % kAlignment, '\0');
    const auto moved = static_cast<uint32_t>(out.size() - weights.reference);
    out.append(model.substr(weights.vector, sizeof(uint32_t) + weights.size));
    std::memcpy(out.data() + weights.reference, &moved, sizeof(moved));
    std::memset(out.data() + weights.vector + sizeof(uint32_t), 0, weights.size);
  }
  return out;
}

}  // namespace supernova::engine::onnxruntime
