#include "engine/tflite/can_run.h"

#include <memory>
#include <vector>

#include "engine/option_values.h"
#include "engine/tflite/delegate.h"
#include "engine/tflite/model.h"
#include "engine/tflite/runtime.h"
#include "tensor/tflite/names.h"

namespace supernova::engine::tflite {
namespace {

constexpr int32_t kScore = 50;

struct Node {
  std::string name;
  std::string op;
  bool on_device = false;
};

// What the latest verdict of this thread points to.
struct Answer {
  std::string reason;
  std::vector<Node> nodes;
  std::vector<sn_node_placement> placement;
};
thread_local Answer answer;

base::Status check_device(const std::string& library, const sn_device& device,
                          const Options& options, DelegateChoice& choice) {
  SN_TRY(load_runtime(library).status());
  SN_ASSIGN(choice, delegate_choice(device, options));
  if (choice.library.empty()) return {};
  return ExternalDelegate::find(choice);
}

// Where the nodes of the first graph would run on an Edge TPU: its compiler has decided.
void place_on_edge_tpu(const tensor::tflite::File& file) {
  const auto& graph = file.subgraphs[0];
  for (size_t i = 0; i < graph.operators.size(); ++i) {
    const auto& op = graph.operators[i];
    answer.nodes.push_back(
        {tensor::tflite::node_name(graph, op, i), shown_name(op), is_edge_tpu_operator(op)});
  }
  for (const Node& node : answer.nodes) {
    sn_node_placement& placed = answer.placement.emplace_back();
    placed.size = sizeof(placed);
    placed.node = node.name.c_str();
    placed.op = node.op.c_str();
    placed.where = node.on_device ? "EDGETPU" : "CPU";
    placed.reason = node.on_device ? nullptr : "the Edge TPU's compiler left it to the CPU";
  }
}

base::Result<sn_compatibility> judge_file(const sn_artefact& artefact, const DelegateChoice& choice,
                                          bool strict) {
  if (artefact.format == nullptr || std::string_view(artefact.format) != kFormat) {
    return absl::UnimplementedError("it runs .tflite files only");
  }
  SN_ASSIGN(const std::unique_ptr<ModelBytes> bytes, ModelBytes::open(artefact));
  tensor::tflite::Reader reader(bytes->view());
  SN_ASSIGN(const tensor::tflite::File file, tensor::tflite::read_file(reader));
  SN_TRY(check_stateless(file));
  const bool compiled = needs_edge_tpu(file);
  if (choice.library.empty() && compiled) {
    return absl::FailedPreconditionError("the file is compiled for the Edge TPU and needs one");
  }
  if (choice.library.empty()) return SN_CAN_RUN;
  if (!choice.edge_tpu) {
    answer.reason = "which operators the delegate takes shows when the model is opened";
    return SN_CAN_RUN_PARTLY;
  }
  if (!compiled) {
    return absl::FailedPreconditionError(
        "the file is not compiled for the Edge TPU: compile it with edgetpu_compiler");
  }
  place_on_edge_tpu(file);
  size_t on_cpu = 0;
  for (const Node& node : answer.nodes) on_cpu += node.on_device ? 0 : 1;
  if (on_cpu == 0) return SN_CAN_RUN;
  answer.reason = base::str_cat("the Edge TPU's compiler left ", on_cpu, " of ",
                                answer.nodes.size(), " operators to the CPU");
  if (strict) return absl::FailedPreconditionError(answer.reason + "; strict_device forbids that");
  return SN_CAN_RUN_PARTLY;
}

}  // namespace

void judge(const std::string& library, const sn_artefact* artefact, const sn_device& device,
           const Options& options, sn_verdict& verdict) {
  answer = {};
  const auto compatibility = [&]() -> base::Result<sn_compatibility> {
    DelegateChoice choice;
    SN_TRY(check_device(library, device, options, choice));
    SN_ASSIGN(const bool strict, is_strict(options));
    return artefact == nullptr ? base::Result<sn_compatibility>(SN_CAN_RUN)
                               : judge_file(*artefact, choice, strict);
  }();
  if (!compatibility.ok()) answer.reason = base::message(compatibility.status());
  verdict.compatibility = compatibility.ok() ? *compatibility : SN_CAN_NOT_RUN;
  verdict.score = compatibility.ok() ? kScore : 0;
  verdict.reason = answer.reason.empty() ? nullptr : answer.reason.c_str();
  verdict.placement = answer.placement.data();
  verdict.placement_count = answer.placement.size();
}

}  // namespace supernova::engine::tflite
