#include "engine/onnxruntime/providers/placement.h"

#include <algorithm>

namespace supernova::engine::onnxruntime {
namespace {

constexpr std::string_view kCpu = "CPUExecutionProvider";
constexpr std::string_view kSuffix = "ExecutionProvider";
constexpr size_t kMostNamed = 20;

base::Result<PlacedNode> read_node(const OrtEpAssignedNode* node, std::string_view provider,
                                   std::string_view wanted) {
  const char* name = nullptr;
  const char* domain = nullptr;
  const char* op = nullptr;
  SN_ORT_TRY(api().EpAssignedNode_GetName(node, &name));
  SN_ORT_TRY(api().EpAssignedNode_GetDomain(node, &domain));
  SN_ORT_TRY(api().EpAssignedNode_GetOperatorType(node, &op));
  PlacedNode placed;
  placed.node = name;
  placed.op = *domain == '\0' ? std::string(op) : base::str_cat(domain, ".", op);
  placed.provider = provider;
  placed.where =
      provider.ends_with(kSuffix) ? provider.substr(0, provider.size() - kSuffix.size()) : provider;
  if (provider == kCpu && !wanted.empty()) {
    placed.reason = base::str_cat(wanted, " does not take it");
  }
  return placed;
}

}  // namespace

base::Result<std::vector<PlacedNode>> read_placement(const OrtSession* session,
                                                     std::string_view wanted) {
  const OrtEpAssignedSubgraph* const* parts = nullptr;
  size_t part_count = 0;
  SN_ORT_TRY(api().Session_GetEpGraphAssignmentInfo(session, &parts, &part_count));
  std::vector<PlacedNode> placed;
  for (size_t i = 0; i < part_count; ++i) {
    const char* provider = nullptr;
    const OrtEpAssignedNode* const* nodes = nullptr;
    size_t node_count = 0;
    SN_ORT_TRY(api().EpAssignedSubgraph_GetEpName(parts[i], &provider));
    SN_ORT_TRY(api().EpAssignedSubgraph_GetNodes(parts[i], &nodes, &node_count));
    for (size_t n = 0; n < node_count; ++n) {
      SN_ASSIGN(auto node, read_node(nodes[n], provider, wanted));
      placed.push_back(std::move(node));
    }
  }
  return placed;
}

std::string say_fallback(const std::vector<PlacedNode>& nodes, std::string_view wanted,
                         bool listed) {
  std::vector<std::string> named;
  size_t count = 0;
  for (const PlacedNode& node : nodes) {
    if (node.reason.empty()) continue;
    if (++count > kMostNamed) continue;
    named.push_back(node.node.empty() ? node.op : base::str_cat(node.op, " '", node.node, "'"));
  }
  if (count == 0) return "";
  if (count > kMostNamed) named.push_back(base::str_cat("and ", count - kMostNamed, " more"));
  const bool one = count == 1 && !listed;
  return base::str_cat(count, listed ? base::str_cat(" of ", nodes.size()) : "",
                       one ? " node runs" : " nodes run", " on the CPU because ", wanted,
                       " does not take ", one ? "it: " : "them: ", base::str_join(named, ", "));
}

}  // namespace supernova::engine::onnxruntime
