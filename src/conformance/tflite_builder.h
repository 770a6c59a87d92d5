// Writes small .tflite files, table by table; nothing is checked, so that wrong files can
// be made too. Slots and enum numbers are those of TensorFlow Lite's schema.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace supernova::conformance {

// A FlatBuffers table while it is put together.
class FlatTable {
 public:
  template <typename T>
  FlatTable& number(int slot, T value) {
    return set(slot, std::string(reinterpret_cast<const char*>(&value), sizeof(T)));
  }
  FlatTable& flag(int slot, bool value) { return number<uint8_t>(slot, value ? 1 : 0); }
  template <typename T>
  FlatTable& numbers(int slot, const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const char*>(values.data());
    return set(slot, Vector{values.size(), std::string(bytes, values.size() * sizeof(T))});
  }
  FlatTable& text(int slot, std::string_view value) {
    return set(slot, Vector{value.size(), std::string(value) + '\0'});
  }
  FlatTable& table(int slot, FlatTable value) {
    return set(slot, std::make_shared<FlatTable>(std::move(value)));
  }
  FlatTable& tables(int slot, std::vector<FlatTable> values) {
    return set(slot, std::move(values));
  }

  // A whole file with this table as its root.
  std::string file(std::string_view identifier) const;

 private:
  struct Vector {
    size_t count;
    std::string bytes;
  };
  using Field =
      std::variant<std::string, Vector, std::shared_ptr<FlatTable>, std::vector<FlatTable>>;
  FlatTable& set(int slot, Field field) {
    fields_.emplace_back(slot, std::move(field));
    return *this;
  }
  size_t write(std::string& out) const;
  static void write_target(std::string& out, size_t reference, const Field& field);

  std::vector<std::pair<int, Field>> fields_;
};

// Numbers of the schema's TensorType.
enum class TfType : int8_t {
  kFloat32 = 0,
  kFloat16 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt64 = 4,
  kString = 5,
  kBool = 6,
  kInt16 = 7,
  kComplex64 = 8,
  kInt8 = 9,
  kResource = 13,
  kInt4 = 17,
};

struct TfTensor {
  TfType type = TfType::kFloat32;
  std::vector<int32_t> shape;
  std::string data = "";  // of a constant
  std::vector<float> scales = {};
  std::vector<int64_t> zero_points = {};
  int32_t axis = 0;
  bool variable = false;
  std::vector<int32_t> signature = {};
  std::string name = "";
  FlatTable sparsity = {};
  bool sparse = false;
};

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

class TfModel {
 public:
  TfModel();
  // Tensors, operators and ends belong to the graph begun last; the first is there already.
  void begin_graph();
  int32_t tensor(const TfTensor& tensor);
  int32_t input(const TfTensor& tensor);
  int32_t constant(std::vector<int32_t> shape, const std::vector<float>& values);
  int32_t ints(const std::vector<int32_t>& values);  // one axis
  int32_t int_scalar(int32_t value);
  // `name`: "CONV_2D", or a custom operator's own name with `custom` options. Returns the first
  // output.
  int32_t op(std::string_view name, std::vector<int32_t> inputs, std::vector<int32_t> outputs,
             const FlatTable& options = {}, std::string_view custom = "");
  // The version that operators of this name have, 1 unless said; before the first of them.
  void set_version(std::string_view name, int32_t version);
  void set_inputs(std::vector<int32_t> inputs);
  void set_outputs(std::vector<int32_t> outputs);
  std::string file() const;
  // The root, for a test that adds to it.
  FlatTable root() const;

 private:
  struct Graph {
    std::vector<FlatTable> tensors;
    std::vector<FlatTable> operators;
    std::vector<int32_t> inputs;
    std::vector<int32_t> outputs;
  };
  uint32_t code(std::string_view name);

  std::vector<Graph> graphs_;
  std::vector<FlatTable> buffers_;
  std::vector<FlatTable> codes_;
  std::vector<std::string> code_names_;
  std::vector<std::pair<std::string, int32_t>> versions_;
};

}  // namespace supernova::conformance
