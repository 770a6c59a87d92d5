#include "model/placement_report.h"

#include <tuple>

namespace supernova::model {

std::vector<OperatorPlace> count_nodes(const std::vector<engine::NodePlacement>& nodes) {
  std::map<std::tuple<std::string, std::string, std::string>, uint64_t> counts;
  for (const engine::NodePlacement& node : nodes) ++counts[{node.op, node.where, node.reason}];
  std::vector<OperatorPlace> places;
  for (const auto& [key, count] : counts) {
    places.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), count});
  }
  return places;
}

std::vector<OperatorPlace> operators_of(const PlacementReport& report,
                                        const InstanceReport& instance) {
  if (!instance.operators.empty() || instance.partly) return instance.operators;
  const bool never_opened = instance.sessions == 0 && !report.failure.empty();
  if (never_opened) return {};
  std::vector<OperatorPlace> places;
  for (const auto& [op, count] : report.operators) {
    places.push_back({op, instance.device, "", static_cast<uint64_t>(count)});
  }
  return places;
}

uint64_t fallback_nodes(const PlacementReport& report) {
  uint64_t nodes = 0;
  for (const InstanceReport& instance : report.instances) nodes += instance.fallback.size();
  return nodes;
}

std::string fallback_text(const InstanceReport& instance) {
  if (!instance.fallback.empty()) {
    return base::str_cat("not on ", instance.device, ": ", engine::nodes_text(instance.fallback));
  }
  if (!instance.partly) return "";
  const std::string& why = instance.opened.reason;
  return base::str_cat(
      "not all of the model is on ", instance.device,
      why.empty() ? ", and the engine does not say what is not" : base::str_cat(": ", why));
}

}  // namespace supernova::model
