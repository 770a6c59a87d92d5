#include "tensor/data_type.h"

#include <array>

namespace supernova::tensor {
namespace {

struct Row {
  std::string_view name;
  size_t size;
};

constexpr std::array<Row, 15> kRows{{{"INVALID", 0},
                                     {"BOOL", 1},
                                     {"UINT8", 1},
                                     {"UINT16", 2},
                                     {"UINT32", 4},
                                     {"UINT64", 8},
                                     {"INT8", 1},
                                     {"INT16", 2},
                                     {"INT32", 4},
                                     {"INT64", 8},
                                     {"FP16", 2},
                                     {"FP32", 4},
                                     {"FP64", 8},
                                     {"BYTES", 0},
                                     {"BF16", 2}}};

const Row& row(DataType type) {
  const auto index = static_cast<size_t>(type);
  return kRows[index < kRows.size() ? index : 0];
}

}  // namespace

size_t element_size(DataType type) { return row(type).size; }
std::string_view data_type_name(DataType type) { return row(type).name; }

std::optional<DataType> data_type_from_name(std::string_view name) {
  for (size_t i = 1; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

}  // namespace supernova::tensor
