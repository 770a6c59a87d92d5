// What a .tflite file says: subgraphs of tensors and operators, as plain values and views into the
// file. Everything that indexes something is checked here, so that later steps need not. Field and
// enum numbers: the schema of TensorFlow Lite (schema.fbs, version 3). Values; the file must
// outlive them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/data_type.h"
#include "tensor/tflite/flat.h"

namespace supernova::tensor::tflite {

// Numbers of the schema's TensorType.
enum class Element : int8_t {
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
  kFloat64 = 10,
  kUint64 = 12,
  kResource = 13,
  kUint32 = 15,
  kUint16 = 16,
  kInt4 = 17,
  kBfloat16 = 18,
};

// "FLOAT32"; "type 40" for an unknown one.
std::string element_name(Element element);
// The hub's type; INT4 is widened to INT8. kInvalid for what the hub doesn't carry.
DataType data_type(Element element);

// Scales of a quantised tensor: real = scale * (stored - zero_point), along `axis` when there are
// several.
struct Quantisation {
  Numbers<float> scales;
  Numbers<int64_t> zero_points;
  int32_t axis = 0;
  bool special = false;  // block-wise or custom, which is not read

  bool present() const { return !scales.empty(); }
};

struct TensorDef {
  std::string_view name;
  std::vector<int64_t> shape;
  std::vector<int64_t> signature;  // as `shape`, -1 where the size is not fixed; may be empty
  Element type = Element::kFloat32;
  std::string_view data;  // content of a constant, else empty
  bool constant = false;
  bool variable = false;
  Quantisation quantisation;
  Table sparsity;
  // An INT8 tensor of one scale that is no constant is kept as UINT8, 128 higher: the form for
  // which runtimes on x86 have integer kernels. `type` says UINT8 then; see as_in_file().
  bool shifted = false;
};

// The tensor as the file has it: INT8 where it is kept shifted.
TensorDef as_in_file(const TensorDef& def);

struct Operator {
  std::string name;  // "CONV_2D", "CUSTOM:my_op"
  int32_t version = 1;
  std::vector<int32_t> inputs;  // tensor numbers; -1 = left out
  std::vector<int32_t> outputs;
  std::vector<int32_t> intermediates;
  Table options;
  Table options2;
  std::string_view custom_options;
};

struct SubGraph {
  std::string_view name;
  std::vector<TensorDef> tensors;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  std::vector<Operator> operators;
};

struct SignatureDef {
  std::string_view key;
  uint32_t subgraph = 0;
  std::vector<std::pair<std::string_view, uint32_t>> inputs;  // name, tensor number
  std::vector<std::pair<std::string_view, uint32_t>> outputs;
};

struct File {
  uint32_t version = 0;
  Tables graph_tables;  // those of `subgraphs`
  std::string_view description;
  std::vector<SubGraph> subgraphs;
  std::vector<SignatureDef> signatures;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;  // name, content
};

// Whether these bytes begin a file of this format.
bool is_tflite(std::string_view head);
// Reads and checks all tables; views lead into the reader's file, and options are read through the
// reader later on.
base::Result<File> read_file(Reader& reader);

}  // namespace supernova::tensor::tflite
