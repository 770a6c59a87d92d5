// If, Loop and Scan: what their bodies give.
#include "import/graph/infer_table.h"

namespace supernova::import::graph {
namespace {

const Graph* body_of(const Inference& node, std::string_view name) {
  const Attribute* attribute = node.node().find(name);
  const auto* body =
      attribute != nullptr ? std::get_if<std::shared_ptr<Graph>>(attribute) : nullptr;
  return body != nullptr ? body->get() : nullptr;
}

// What two branches have in common.
Type joined(const Type& a, const Type& b) {
  if (!a.rank_known || !b.rank_known || a.dims.size() != b.dims.size()) {
    return Type::of_unknown_rank(a.data_type);
  }
  Type out = a;
  for (size_t i = 0; i < out.dims.size(); ++i) {
    if (!(out.dims[i] == b.dims[i])) out.dims[i] = Model::fresh_dim();
  }
  return out;
}

base::Status branch(Inference& node) {
  const Graph* then_body = body_of(node, "then_branch");
  const Graph* else_body = body_of(node, "else_branch");
  const size_t count = node.node().outputs.size();
  if (then_body == nullptr || else_body == nullptr || then_body->outputs.size() != count ||
      else_body->outputs.size() != count) {
    return absl::InvalidArgumentError("If needs two branches with its number of outputs each");
  }
  for (size_t i = 0; i < count; ++i) {
    const Type& a = then_body->outputs[i]->type;
    const Type& b = else_body->outputs[i]->type;
    if (a.data_type != b.data_type) {
      return absl::InvalidArgumentError("the branches of If give different types");
    }
    node.set(i, joined(a, b));
  }
  return absl::OkStatus();
}

base::Status loop(Inference& node) {
  const Graph* body = body_of(node, "body");
  const size_t carried = node.input_count() >= 2 ? node.input_count() - 2 : 0;
  const size_t count = node.node().outputs.size();
  if (body == nullptr || body->outputs.size() != count + 1 || count < carried ||
      body->inputs.size() != carried + 2) {
    return absl::InvalidArgumentError("Loop whose body does not fit its inputs and outputs");
  }
  for (size_t i = 0; i < count; ++i) {
    Type type = body->outputs[i + 1]->type;
    if (i < carried) {
      type = joined(type, node.type(i + 2));
    } else if (type.rank_known) {
      type.dims.insert(type.dims.begin(), Model::fresh_dim());
    }
    node.set(i, std::move(type));
  }
  return absl::OkStatus();
}

base::Status scan(Inference& node) {
  const Graph* body = body_of(node, "body");
  const int64_t scanned = node.node().int_or("num_scan_inputs", 0);
  const auto inputs = static_cast<int64_t>(node.input_count());
  const size_t count = node.node().outputs.size();
  if (body == nullptr || scanned < 1 || scanned > inputs || body->outputs.size() != count ||
      body->inputs.size() != node.input_count()) {
    return absl::InvalidArgumentError("Scan whose body does not fit its inputs and outputs");
  }
  const auto states = static_cast<size_t>(inputs - scanned);
  const Dim steps = node.rank_known(states) && !node.dims(states).empty() ? node.dims(states)[0]
                                                                          : Model::fresh_dim();
  for (size_t i = 0; i < count; ++i) {
    Type type = body->outputs[i]->type;
    if (i >= states && type.rank_known) type.dims.insert(type.dims.begin(), steps);
    node.set(i, std::move(type));
  }
  return absl::OkStatus();
}

}  // namespace

void add_control_flow(InferTable& table) {
  table["If"] = branch;
  table["Loop"] = loop;
  table["Scan"] = scan;
}

}  // namespace supernova::import::graph
