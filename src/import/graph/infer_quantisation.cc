// Quantised types: conversions to and from them, and integer kernels.
#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

base::Status quantize(Inference& node) {
  Type type = node.type(0);
  type.data_type = node.input(2) != nullptr ? node.data_type(2) : DataType::kUint8;
  node.set(0, std::move(type));
  return absl::OkStatus();
}

base::Status dequantize(Inference& node) {
  Type type = node.type(0);
  type.data_type = node.data_type(1);
  node.set(0, std::move(type));
  return absl::OkStatus();
}

base::Status dynamic_quantize(Inference& node) {
  Type type = node.type(0);
  type.data_type = DataType::kUint8;
  node.set(0, std::move(type));
  node.set(1, DataType::kFp32, {});
  node.set(2, DataType::kUint8, {});
  return absl::OkStatus();
}

}  // namespace

void add_quantisation(InferTable& table) {
  table["QuantizeLinear"] = quantize;
  table["DequantizeLinear"] = dequantize;
  table["DynamicQuantizeLinear"] = dynamic_quantize;
}

}  // namespace supernova::import::graph
