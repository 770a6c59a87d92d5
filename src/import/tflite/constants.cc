// Constants of the file: in place where they are stored plainly, unpacked where they are not
// (strings, four-bit integers, sparse tensors).
#include <algorithm>
#include <cstring>

#include "import/tflite/context.h"
#include "tensor/shape.h"

namespace supernova::import::tflite {
namespace {

constexpr uint64_t kMaxSparseGrowth = 256;  // dense bytes for each stored one
constexpr uint64_t kFreeGrowth = 1U << 20U;
constexpr size_t kMaxLevels = 16;

namespace slot {
enum Sparsity { kOrder, kBlockMap, kLevels };
enum Level { kFormat, kDenseSize, kSegmentsType, kSegments, kIndicesType, kIndices };
}  // namespace slot

// Numbers of one level of a sparse tensor, of whichever width.
class Indices {
 public:
  Indices(const Table& level, int type_slot, int slot) {
    const Table vector = level.table(slot);
    switch (level.number<uint8_t>(type_slot)) {
      case 1:
        wide_ = vector.numbers<int32_t>(0);
        break;
      case 2:
        half_ = vector.numbers<uint16_t>(0);
        break;
      case 3:
        byte_ = vector.numbers<uint8_t>(0);
        break;
      default:
        break;
    }
  }
  size_t size() const { return wide_.size() + half_.size() + byte_.size(); }
  int64_t operator[](size_t i) const {
    if (!wide_.empty()) return wide_[i];
    return !half_.empty() ? int64_t{half_[i]} : int64_t{byte_[i]};
  }

 private:
  Numbers<int32_t> wide_;
  Numbers<uint16_t> half_;
  Numbers<uint8_t> byte_;
};

struct Level {
  bool sparse = false;
  int64_t size = 0;    // of a dense one
  int64_t stride = 0;  // elements of the dense tensor from one index to the next
  int64_t limit = 0;   // indices below it
  Indices segments;
  Indices indices;
};

// Spreads a sparse tensor's values over its dense form, level by level as they were stored.
class Spread {
 public:
  Spread(const TensorDef& def, std::string& dense, size_t element)
      : def_(def), dense_(dense), element_(element) {}

  bool run() { return read_levels() && walk(0, 0, 0) && used_ * element_ == def_.data.size(); }

 private:
  bool read_levels() {
    const auto order = def_.sparsity.numbers<int32_t>(slot::kOrder);
    const auto blocks = def_.sparsity.numbers<int32_t>(slot::kBlockMap);
    const Tables levels = def_.sparsity.tables(slot::kLevels);
    const size_t rank = def_.shape.size();
    const size_t count = rank + blocks.size();
    if (order.size() != count || levels.size() != count || count > kMaxLevels) return false;
    std::vector<int64_t> block(rank, 1);  // size of each axis' block
    std::vector<bool> seen(count, false);
    for (size_t i = 0; i < count; ++i) {
      const int64_t axis = order[i];
      if (axis < 0 || axis >= static_cast<int64_t>(count) || seen[axis]) return false;
      seen[axis] = true;
      if (axis < static_cast<int64_t>(rank)) continue;
      const int64_t of = blocks[axis - rank];
      const int64_t size = levels[i].integer(slot::kDenseSize);
      if (of < 0 || of >= static_cast<int64_t>(rank) || size <= 0 || block[of] != 1) return false;
      if (levels[i].byte(slot::kFormat) != 0 || def_.shape[of] % size != 0) return false;
      block[of] = size;
    }
    std::vector<int64_t> stride(rank, 1);
    for (size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * def_.shape[i];
    for (size_t i = 0; i < count; ++i) {
      const Table table = levels[i];
      Level level{table.byte(slot::kFormat) == 1,
                  table.integer(slot::kDenseSize),
                  0,
                  0,
                  Indices(table, slot::kSegmentsType, slot::kSegments),
                  Indices(table, slot::kIndicesType, slot::kIndices)};
      const auto axis = static_cast<size_t>(order[i]);
      const size_t of = axis < rank ? axis : blocks[axis - rank];
      level.limit = axis < rank ? def_.shape[of] / block[of] : block[of];
      level.stride = axis < rank ? stride[of] * block[of] : stride[of];
      if (!level.sparse && level.size != level.limit) return false;
      levels_.push_back(level);
    }
    return true;
  }

  // `position` counts what lies before at this level; `at` is the element in the dense tensor.
  bool walk(size_t depth, int64_t position, int64_t at) {
    if (depth == levels_.size()) {
      if ((used_ + 1) * element_ > def_.data.size()) return false;
      std::memcpy(dense_.data() + at * element_, def_.data.data() + used_ * element_, element_);
      ++used_;
      return true;
    }
    const Level& level = levels_[depth];
    if (!level.sparse) {
      for (int64_t i = 0; i < level.size; ++i) {
        if (!walk(depth + 1, position * level.size + i, at + i * level.stride)) return false;
      }
      return true;
    }
    if (position + 1 >= static_cast<int64_t>(level.segments.size())) return false;
    const int64_t begin = level.segments[position];
    const int64_t end = level.segments[position + 1];
    if (begin < 0 || end < begin || end > static_cast<int64_t>(level.indices.size())) return false;
    if (end - begin > level.limit) return false;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t index = level.indices[i];
      if (index < 0 || index >= level.limit) return false;
      if (!walk(depth + 1, i, at + index * level.stride)) return false;
    }
    return true;
  }

  const TensorDef& def_;
  std::string& dense_;
  size_t element_;
  std::vector<Level> levels_;
  uint64_t used_ = 0;
};

base::Result<Constant> densify(const TensorDef& def) {
  const DataType type = data_type(def.type);
  const size_t element = tensor::element_size(type);
  SN_ASSIGN(const int64_t count, tensor::element_count(def.shape));
  if (element == 0 || def.type == Element::kInt4 ||
      static_cast<uint64_t>(count) >
          (def.data.size() * kMaxSparseGrowth + kFreeGrowth) / std::max<size_t>(element, 1)) {
    return absl::InvalidArgumentError("its sparse content is of an unusual kind or far too thin");
  }
  auto dense = std::make_shared<std::string>(count * element, '\0');
  if (!Spread(def, *dense, element).run()) {
    return absl::InvalidArgumentError("its sparse content is damaged");
  }
  const std::string_view view = *dense;
  return Constant(type, def.shape, view, dense);
}

// Two to a byte, the lower half first.
base::Result<Constant> unpack_int4(const TensorDef& def) {
  SN_ASSIGN(const int64_t count, tensor::element_count(def.shape));
  if (def.data.size() != static_cast<uint64_t>(count) / 2 + static_cast<uint64_t>(count) % 2) {
    return absl::InvalidArgumentError(
        base::str_cat("has ", def.data.size(), " bytes for ", count, " four-bit numbers"));
  }
  std::vector<int8_t> out(count);
  for (int64_t i = 0; i < count; ++i) {
    const auto byte = static_cast<uint8_t>(def.data[i / 2]);
    const uint8_t half = i % 2 == 0 ? byte & 15U : byte >> 4U;
    out[i] = static_cast<int8_t>(half < 8 ? half : half - 16);
  }
  return Constant::of<int8_t>(DataType::kInt8, def.shape, out);
}

// A count, the byte where each string begins and where the last ends, then the strings.
base::Result<Constant> unpack_strings(const TensorDef& def) {
  SN_ASSIGN(const int64_t count, tensor::element_count(def.shape));
  const auto number = [&](uint64_t i) {
    int32_t value = 0;
    std::memcpy(&value, def.data.data() + i * sizeof(value), sizeof(value));
    return int64_t{value};
  };
  const auto damaged = absl::InvalidArgumentError("its strings are damaged");
  if (def.data.size() / sizeof(int32_t) < 2 + static_cast<uint64_t>(count)) return damaged;
  if (number(0) != count) return damaged;
  std::vector<std::string> strings;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = number(1 + i);
    const int64_t end = number(2 + i);
    if (begin < 0 || end < begin || end > static_cast<int64_t>(def.data.size())) return damaged;
    strings.emplace_back(def.data.substr(begin, end - begin));
  }
  return Constant::of_strings(def.shape, std::move(strings));
}

base::Result<Constant> content_of(const TensorDef& def, const std::shared_ptr<const void>& owner) {
  if (data_type(def.type) == DataType::kInvalid) {
    return absl::UnimplementedError(
        base::str_cat("constants of ", element_name(def.type), " are not supported"));
  }
  if (def.sparsity.present()) return densify(def);
  if (def.type == Element::kInt4) return unpack_int4(def);
  if (def.type == Element::kString) return unpack_strings(def);
  return Constant::checked(data_type(def.type), def.shape, def.data, owner);
}

}  // namespace

Value* constant_of(Builder& b, const TensorDef& def, const std::shared_ptr<const void>& owner) {
  base::Result<Constant> content = content_of(def, owner);
  if (!content.ok()) {
    return b.fail(base::str_cat("constant '", def.name.substr(0, 128),
                                "': ", base::message(content.status())));
  }
  return b.constant(*std::move(content), def.name);
}

}  // namespace supernova::import::tflite
