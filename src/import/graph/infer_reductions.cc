// Reductions along axes.
#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

using tensor::DataType;

base::Status reduce_by(Inference& node, const std::vector<int64_t>& axes, DataType result) {
  if (!node.rank_known(0)) {
    node.set_unknown(0, result);
    return absl::OkStatus();
  }
  const Dims& dims = node.dims(0);
  const bool keep = node.node().int_or("keepdims", 1) != 0;
  const bool none = axes.empty() && node.node().int_or("noop_with_empty_axes", 0) != 0;
  std::vector<bool> reduced(dims.size(), axes.empty() && !none);
  for (const int64_t given : axes) {
    SN_ASSIGN(const size_t axis, Inference::axis(given, dims.size()));
    reduced[axis] = true;
  }
  Dims out;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!reduced[i]) {
      out.push_back(dims[i]);
    } else if (keep) {
      out.emplace_back(1);
    }
  }
  node.set(0, result, std::move(out));
  return absl::OkStatus();
}

base::Status reduce(Inference& node) {
  return reduce_by(node, node.node().ints_or("axes", {}), node.data_type(0));
}

// ReduceSum takes its axes as an input since opset 13.
base::Status reduce_sum(Inference& node) {
  const auto axes = node.integers(1);
  if (node.input(1) != nullptr && !axes) {
    node.set_unknown(0, node.data_type(0));
    return absl::OkStatus();
  }
  return reduce_by(node, axes.value_or(std::vector<int64_t>()), node.data_type(0));
}

base::Status arg(Inference& node) {
  return reduce_by(node, {node.node().int_or("axis", 0)}, DataType::kInt64);
}

}  // namespace

void add_reductions(InferTable& table) {
  for (const std::string_view op :
       {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
        "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare"}) {
    table[op] = reduce;
  }
  table["ReduceSum"] = reduce_sum;
  table["ArgMax"] = table["ArgMin"] = arg;
}

}  // namespace supernova::import::graph
