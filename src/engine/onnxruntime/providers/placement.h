// Where the runtime put a session's nodes, from the runtime itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "engine/onnxruntime/runtime.h"

namespace supernova::engine::onnxruntime {

// A session with this entry "1" remembers its placement.
inline constexpr char kRecordPlacement[] = "session.record_ep_graph_assignment_info";

struct PlacedNode {
  std::string node;
  std::string op;        // with its domain, unless that is ONNX's own
  std::string provider;  // as the runtime calls it
  std::string where;     // shorter: "CPU", "CUDA"
  std::string reason;    // why it is not where it was wanted, "" = it is
};

// Every node of the session as the runtime counts them after its basic simplifications; those that
// are on the CPU get a reason where another provider (`wanted`, else "") was to run them.
base::Result<std::vector<PlacedNode>> read_placement(const OrtSession* session,
                                                     std::string_view wanted);

// "2 of 5 nodes run on the CPU because X does not take them: Sin 'a', Cos 'b'"; "" = none does.
// Without the total where not all nodes are `listed`.
std::string say_fallback(const std::vector<PlacedNode>& nodes, std::string_view wanted,
                         bool listed);

}  // namespace supernova::engine::onnxruntime
