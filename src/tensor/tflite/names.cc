#include "tensor/tflite/names.h"

#include "base/json_writer.h"

namespace supernova::tensor::tflite {
namespace {
constexpr size_t kMaxNameLength = 256;
}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameLength && text.find('\0') == text.npos &&
         base::is_valid_utf8(text);
}

std::string Names::give(const TensorDef& def, std::string_view side, size_t position) {
  std::string name = is_name(def.name) ? std::string(def.name) : base::str_cat(side, position);
  while (!taken_.insert(name).second) name += base::str_cat("_", position);
  return name;
}

std::string node_name(const SubGraph& graph, const Operator& op, size_t number) {
  if (!op.outputs.empty() && op.outputs[0] >= 0) {
    const std::string_view name = graph.tensors[op.outputs[0]].name;
    if (is_name(name)) return std::string(name);
  }
  return base::str_cat("#", number);
}

}  // namespace supernova::tensor::tflite
