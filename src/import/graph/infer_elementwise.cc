// Operators that work element by element, with NumPy's broadcasting where they read several
// tensors.
#include <algorithm>

#include "import/graph/infer_table.h"
#include "import/graph/op_classes.h"
#include "import/onnx/schema.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

base::Status same(Inference& node) {
  node.set(0, node.type(0));
  return absl::OkStatus();
}

base::Status to_bool(Inference& node) {
  Type type = node.type(0);
  type.data_type = DataType::kBool;
  node.set(0, std::move(type));
  return absl::OkStatus();
}

base::Status broadcast_all(Inference& node, size_t first, DataType result) {
  Dims dims;
  for (size_t i = first; i < node.input_count(); ++i) {
    if (node.input(i) == nullptr) continue;
    if (!node.rank_known(i)) {
      node.set_unknown(0, result);
      return absl::OkStatus();
    }
    SN_ASSIGN(dims, broadcast(dims, node.dims(i)));
  }
  node.set(0, result, std::move(dims));
  return absl::OkStatus();
}

base::Status same_types(const Inference& node, size_t first) {
  for (size_t i = first + 1; i < node.input_count(); ++i) {
    if (node.input(i) == nullptr || node.data_type(i) == node.data_type(first)) continue;
    return absl::InvalidArgumentError(
        base::str_cat(node.node().op, " of ", tensor::data_type_name(node.data_type(first)),
                      " and ", tensor::data_type_name(node.data_type(i))));
  }
  return absl::OkStatus();
}

base::Status arithmetic(Inference& node) {
  SN_TRY(same_types(node, 0));
  return broadcast_all(node, 0, node.data_type(0));
}
base::Status power(Inference& node) { return broadcast_all(node, 0, node.data_type(0)); }
base::Status comparison(Inference& node) {
  SN_TRY(same_types(node, 0));
  return broadcast_all(node, 0, DataType::kBool);
}

base::Status where(Inference& node) {
  SN_TRY(same_types(node, 1));
  if (node.input_count() != 3 || node.data_type(0) != DataType::kBool) {
    return absl::InvalidArgumentError("Where needs a BOOL condition and two values");
  }
  Dims dims;
  for (size_t i = 0; i < 3; ++i) {
    if (!node.rank_known(i)) {
      node.set_unknown(0, node.data_type(1));
      return absl::OkStatus();
    }
    SN_ASSIGN(dims, broadcast(dims, node.dims(i)));
  }
  node.set(0, node.data_type(1), std::move(dims));
  return absl::OkStatus();
}

base::Status cast(Inference& node) {
  const int64_t to = node.node().int_or("to", 0);
  const DataType wanted = onnx::element_data_type(to);
  if (wanted == DataType::kInvalid) {
    return absl::InvalidArgumentError(base::str_cat("Cast to type ", to));
  }
  Type type = node.type(0);
  type.data_type = wanted;
  node.set(0, std::move(type));
  return absl::OkStatus();
}

base::Status dropout(Inference& node) {
  node.set(0, node.type(0));
  Type mask = node.type(0);
  mask.data_type = DataType::kBool;
  node.set(1, std::move(mask));
  return absl::OkStatus();
}

}  // namespace

void add_elementwise(InferTable& table) {
  for (const std::string_view op : unary_operators()) table[op] = same;
  for (const std::string_view op :
       {"PRelu", "CumSum", "Softmax", "LogSoftmax", "Hardmax", "LRN", "LpNormalization",
        "InstanceNormalization", "MeanVarianceNormalization", "Trilu", "ReverseSequence",
        "BitShift"}) {
    table[op] = same;
  }
  table["IsNaN"] = table["IsInf"] = to_bool;
  for (const std::string_view op :
       {"Add", "Sub", "Mul", "Div", "Mod", "Max", "Min", "Sum", "Mean", "And", "Or", "Xor"}) {
    table[op] = arithmetic;
  }
  table["Pow"] = power;
  for (const std::string_view op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    table[op] = comparison;
  }
  table["Where"] = where;
  table["Cast"] = cast;
  table["Dropout"] = dropout;
}

}  // namespace supernova::import::graph
