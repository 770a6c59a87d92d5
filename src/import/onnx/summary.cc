#include "import/onnx/summary.h"

#include "import/onnx/schema.h"

namespace supernova::import::onnx {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxValues = 65536;
constexpr size_t kMaxOperators = 10000;
constexpr size_t kMaxNameLength = 4096;

struct Node {
  std::string_view name;
  std::string_view op_type;
  std::string_view domain;
  std::string_view first_input;
  std::string_view first_output;
  std::vector<std::string> labels;  // of a ZipMap
};

class Walk {
 public:
  explicit Walk(std::string_view file) : file_(file) {}

  base::Result<ModelSummary> run() {
    Fields fields({file_, file_}, kModelType);
    while (fields.next()) SN_TRY(model_field(fields));
    SN_TRY(fields.status());
    return std::move(summary_);
  }

 private:
  base::Status model_field(const Fields& field);
  base::Status opset(Place place);
  base::Status training_info(Place place);
  base::Status function_body(Place place);
  base::Status graph_body(Place place, int depth);
  base::Status outer_value(Place place, std::vector<GraphValue>& values);
  base::Status node_body(Place place, int depth, bool outermost);
  base::Status attribute_body(Place place, int depth, Node& node);
  base::Status tensor_body(Place place, std::string_view owner, bool outermost);
  base::Status sparse_body(Place place, std::string_view owner, bool outermost);
  base::Status count(const Node& node);

  std::string_view file_;
  ModelSummary summary_;
};

base::Status Walk::model_field(const Fields& field) {
  switch (field.number()) {
    case model::kIrVersion:
      summary_.ir_version = field.signed_value();
      break;
    case model::kProducerName:
      summary_.producer_name = field.view();
      break;
    case model::kProducerVersion:
      summary_.producer_version = field.view();
      break;
    case model::kOpset:
      return opset(field.place());
    case model::kGraph:
      // Readers merge a repeated message; no writer repeats this one.
      if (summary_.has_graph)
        return absl::InvalidArgumentError("damaged: the model has two graphs");
      summary_.has_graph = true;
      summary_.graph = field.view();
      return graph_body(field.place(), 0);
    case model::kTraining:
      return training_info(field.place());
    case model::kFunction:
      return function_body(field.place());
    default:
      break;
  }
  return absl::OkStatus();
}

base::Status Walk::opset(Place place) {
  std::string_view domain;
  int64_t version = 0;
  Fields fields(place, kOpsetType);
  while (fields.next()) {
    if (fields.number() == opset::kDomain) domain = fields.view();
    if (fields.number() == opset::kVersion) version = fields.signed_value();
  }
  if (domain == "ai.onnx") domain = "";
  if (summary_.opsets.size() == kMaxOperators) {
    return absl::InvalidArgumentError("the model imports an absurd number of operator sets");
  }
  summary_.opsets.emplace_back(domain, version);
  return fields.status();
}

base::Status Walk::training_info(Place place) {
  Fields fields(place, kTrainingType);
  while (fields.next()) {
    if (fields.number() == training::kInitialization || fields.number() == training::kAlgorithm) {
      SN_TRY(graph_body(fields.place(), 1));
    }
  }
  return fields.status();
}

base::Status Walk::function_body(Place place) {
  Fields fields(place, kFunctionType);
  while (fields.next()) {
    if (fields.number() == function::kNode) SN_TRY(node_body(fields.place(), 1, false));
  }
  return fields.status();
}

base::Status Walk::graph_body(Place place, int depth) {
  if (depth > kMaxDepth) {
    return absl::InvalidArgumentError(
        base::str_cat("subgraphs are nested deeper than ", kMaxDepth, " levels"));
  }
  const bool outermost = depth == 0;
  Fields fields(place, kGraphType);
  while (fields.next()) {
    switch (fields.number()) {
      case graph::kNode:
        SN_TRY(node_body(fields.place(), depth, outermost));
        if (outermost) ++summary_.node_count;
        break;
      case graph::kInitializer:
        SN_TRY(tensor_body(fields.place(), "an initializer", outermost));
        break;
      case graph::kSparseInitializer:
        SN_TRY(sparse_body(fields.place(), "a sparse initializer", outermost));
        break;
      case graph::kInput:
        if (outermost) SN_TRY(outer_value(fields.place(), summary_.inputs));
        break;
      case graph::kOutput:
        if (outermost) SN_TRY(outer_value(fields.place(), summary_.outputs));
        break;
      default:
        break;
    }
  }
  return fields.status();
}

base::Status Walk::outer_value(Place place, std::vector<GraphValue>& values) {
  if (values.size() == kMaxValues) {
    return absl::InvalidArgumentError(
        base::str_cat("the graph declares more than ", kMaxValues, " inputs or outputs"));
  }
  GraphValue value;
  Fields fields(place, kValueInfoType);
  while (fields.next()) {
    if (fields.number() == value_info::kName) value.name = fields.view();
    if (fields.number() == value_info::kType) {
      SN_ASSIGN(value.type, parse_type(fields.place()));
    }
  }
  SN_TRY(fields.status());
  values.push_back(std::move(value));
  return absl::OkStatus();
}

base::Status Walk::node_body(Place place, int depth, bool outermost) {
  Node node;
  bool has_input = false;
  bool has_output = false;
  Fields fields(place, kNodeType);
  while (fields.next()) {
    switch (fields.number()) {
      case node::kInput:
        if (!std::exchange(has_input, true)) node.first_input = fields.view();
        break;
      case node::kOutput:
        if (!std::exchange(has_output, true)) node.first_output = fields.view();
        break;
      case node::kName:
        node.name = fields.view();
        break;
      case node::kOpType:
        node.op_type = fields.view();
        break;
      case node::kDomain:
        node.domain = fields.view();
        break;
      case node::kAttribute:
        SN_TRY(attribute_body(fields.place(), depth, node));
        break;
      default:
        break;
    }
  }
  SN_TRY(fields.status());
  if (outermost && node.op_type == "ZipMap" && node.domain == "ai.onnx.ml") {
    summary_.zipmaps.push_back({summary_.node_count, node.name, node.first_input, node.first_output,
                                std::move(node.labels)});
  }
  return count(node);
}

base::Status Walk::attribute_body(Place place, int depth, Node& node) {
  std::string_view name;
  std::vector<std::string> labels;
  // The name comes first on the wire, but nothing says that it must.
  Fields names(place, kAttributeType);
  while (names.next()) {
    if (names.number() == attribute::kName) name = names.view();
  }
  SN_TRY(names.status());
  const bool is_labels = name == "classlabels_int64s" || name == "classlabels_strings";
  const std::string_view owner = node.name.empty() ? std::string_view("a node") : node.name;
  Fields fields(place, kAttributeType);
  while (fields.next()) {
    switch (fields.number()) {
      case attribute::kGraph:
      case attribute::kGraphs:
        SN_TRY(graph_body(fields.place(), depth + 1));
        break;
      case attribute::kTensor:
      case attribute::kTensors:
        SN_TRY(tensor_body(fields.place(), owner, false));
        break;
      case attribute::kSparse:
      case attribute::kSparses:
        SN_TRY(sparse_body(fields.place(), owner, false));
        break;
      case attribute::kInts:
        if (is_labels) {
          SN_TRY(
              fields.each_varint([&](int64_t label) { labels.push_back(base::str_cat(label)); }));
        }
        break;
      case attribute::kStrings:
        if (is_labels) labels.emplace_back(fields.view());
        break;
      default:
        break;
    }
  }
  SN_TRY(fields.status());
  if (!labels.empty()) node.labels = std::move(labels);
  return absl::OkStatus();
}

base::Status Walk::tensor_body(Place place, std::string_view owner, bool outermost) {
  SN_ASSIGN(TensorHead head, read_tensor_head(place));
  if (outermost && !head.name.empty()) summary_.initializers.insert(head.name);
  if (!head.external) return absl::OkStatus();
  const std::string_view name = head.name.empty() ? owner : head.name;
  SN_ASSIGN(ExternalTensor external, external_tensor(head, name));
  summary_.external.push_back(std::move(external));
  return absl::OkStatus();
}

base::Status Walk::sparse_body(Place place, std::string_view owner, bool outermost) {
  Fields fields(place, kSparseTensorType);
  while (fields.next()) {
    // A sparse initializer is known by the name of its values.
    if (fields.number() == sparse::kValues) SN_TRY(tensor_body(fields.place(), owner, outermost));
    if (fields.number() == sparse::kIndices) SN_TRY(tensor_body(fields.place(), owner, false));
  }
  return fields.status();
}

base::Status Walk::count(const Node& node) {
  if (node.op_type.empty()) {
    return absl::InvalidArgumentError(base::str_cat("node '", node.name, "' has no operator"));
  }
  if (node.op_type.size() + node.domain.size() > kMaxNameLength) {
    return absl::InvalidArgumentError("an operator's name is absurdly long");
  }
  const bool is_default = node.domain.empty() || node.domain == "ai.onnx";
  std::string key =
      is_default ? std::string(node.op_type) : base::str_cat(node.domain, ":", node.op_type);
  ++summary_.operators[std::move(key)];
  if (summary_.operators.size() > kMaxOperators) {
    return absl::InvalidArgumentError(
        base::str_cat("the model uses more than ", kMaxOperators, " different operators"));
  }
  return absl::OkStatus();
}

}  // namespace

base::Result<ModelSummary> summarise(std::string_view file) { return Walk(file).run(); }

}  // namespace supernova::import::onnx
