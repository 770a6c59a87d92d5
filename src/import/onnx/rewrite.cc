#include "import/onnx/rewrite.h"

#include <algorithm>
#include <protozero/pbf_writer.hpp>

#include "import/onnx/schema.h"

namespace supernova::import::onnx {
namespace {

using protozero::pbf_writer;

constexpr int64_t kFloat = 1;
// Added where the model imports ONNX-ML only: the oldest version with full support in the runtime
// would be 7; 8 belongs to IR 3.
constexpr int64_t kIdentityOpset = 8;

void add(pbf_writer& writer, uint32_t number, std::string_view text) {
  writer.add_bytes(number, text.data(), text.size());
}

const ZipMapPlan* plan_of_output(const std::vector<ZipMapPlan>& plans, std::string_view name) {
  const auto at = std::find_if(plans.begin(), plans.end(),
                               [&](const ZipMapPlan& plan) { return plan.zipmap.output == name; });
  return at != plans.end() ? &*at : nullptr;
}

base::Result<std::string_view> value_name(Place place) {
  std::string_view name;
  Fields fields(place, kValueInfoType);
  while (fields.next()) {
    if (fields.number() == value_info::kName) name = fields.view();
  }
  SN_TRY(fields.status());
  return name;
}

void write_identity(pbf_writer& graph, const ZipMap& zipmap) {
  pbf_writer node(graph, graph::kNode);
  add(node, node::kInput, zipmap.input);
  add(node, node::kOutput, zipmap.output);
  add(node, node::kName, zipmap.name);
  add(node, node::kOpType, "Identity");
}

void write_output(pbf_writer& graph, const tensor::TensorInfo& info) {
  pbf_writer value(graph, graph::kOutput);
  add(value, value_info::kName, info.name);
  pbf_writer type(value, value_info::kType);
  pbf_writer tensor(type, type::kTensor);
  tensor.add_int32(type::kElement, static_cast<int32_t>(kFloat));
  pbf_writer shape(tensor, type::kShape);
  for (const int64_t size : info.shape) {
    std::string dim;  // written whole: a nested writer leaves empty messages out
    if (size >= 0) pbf_writer(dim).add_int64(shape::kDimValue, size);
    add(shape, shape::kDim, dim);
  }
}

// A shape with the sizes given; open ones keep the name they have.
std::string resized_shape(Place place, const std::vector<int64_t>& sizes, base::Status& status) {
  std::string out;
  pbf_writer writer(out);
  size_t axis = 0;
  Fields fields(place, kShapeType);
  while (fields.next()) {
    if (fields.number() != shape::kDim || axis >= sizes.size() || sizes[axis] < 0) {
      out.append(fields.raw());
    } else {
      std::string dim;
      pbf_writer(dim).add_int64(shape::kDimValue, sizes[axis]);
      add(writer, shape::kDim, dim);
    }
    if (fields.number() == shape::kDim) ++axis;
  }
  status.Update(fields.status());
  return out;
}

// The ValueInfoProto of an input with other sizes: value_info.type.tensor.shape, all else as it is.
std::string resized_input(Place place, const std::vector<int64_t>& sizes, base::Status& status) {
  auto inside = [&](Place outer, const MessageType& type, uint32_t number, auto change) {
    std::string out;
    pbf_writer writer(out);
    Fields fields(outer, type);
    while (fields.next()) {
      if (fields.number() == number) {
        add(writer, number, change(fields.place()));
      } else {
        out.append(fields.raw());
      }
    }
    status.Update(fields.status());
    return out;
  };
  return inside(place, kValueInfoType, value_info::kType, [&](Place type_place) {
    return inside(type_place, kTypeType, type::kTensor, [&](Place tensor_place) {
      return inside(tensor_place, kTensorTypeType, type::kShape,
                    [&](Place shape_place) { return resized_shape(shape_place, sizes, status); });
    });
  });
}

base::Status rewrite_graph(Place place, const ModelSummary& summary, const Changes& changes,
                           std::string& out) {
  const std::vector<ZipMapPlan>& plans = changes.zipmaps;
  pbf_writer writer(out);
  size_t node_index = 0;
  Fields fields(place, kGraphType);
  while (fields.next()) {
    const ZipMapPlan* plan = nullptr;
    if (fields.number() == graph::kNode) {
      const auto at = std::find_if(plans.begin(), plans.end(), [&](const ZipMapPlan& candidate) {
        return candidate.zipmap.node_index == node_index;
      });
      ++node_index;
      if (at != plans.end()) {
        write_identity(writer, at->zipmap);
        continue;
      }
    } else if (fields.number() == graph::kInput) {
      SN_ASSIGN(const std::string_view name, value_name(fields.place()));
      if (changes.constant_initializers && summary.initializers.contains(name)) continue;
      const auto sizes = changes.input_shapes.find(std::string(name));
      if (sizes != changes.input_shapes.end()) {
        base::Status status;
        add(writer, graph::kInput, resized_input(fields.place(), sizes->second, status));
        SN_TRY(status);
        continue;
      }
    } else if (fields.number() == graph::kOutput || fields.number() == graph::kValueInfo) {
      SN_ASSIGN(const std::string_view name, value_name(fields.place()));
      plan = plan_of_output(plans, name);
    }
    if (plan == nullptr) {
      out.append(fields.raw());
    } else if (fields.number() == graph::kOutput) {
      write_output(writer, plan->output);
    }
  }
  return fields.status();
}

}  // namespace

base::Result<std::string> rewrite(std::string_view file, const ModelSummary& summary,
                                  const Changes& changes) {
  std::string graph;
  graph.reserve(summary.graph.size() + 256);
  SN_TRY(rewrite_graph({file, summary.graph}, summary, changes, graph));
  std::string out;
  out.reserve(file.size() + 256);
  pbf_writer writer(out);
  Fields fields({file, file}, kModelType);
  while (fields.next()) {
    if (fields.number() == model::kGraph) {
      add(writer, model::kGraph, graph);
    } else {
      out.append(fields.raw());
    }
  }
  SN_TRY(fields.status());
  const bool has_default = std::any_of(summary.opsets.begin(), summary.opsets.end(),
                                       [](const auto& opset) { return opset.first.empty(); });
  if (!has_default && !changes.zipmaps.empty()) {
    pbf_writer opset(writer, model::kOpset);
    add(opset, opset::kDomain, "");
    opset.add_int64(opset::kVersion, kIdentityOpset);
  }
  return out;
}

}  // namespace supernova::import::onnx
