#include "import/onnx/zipmap.h"

#include <algorithm>
#include <unordered_set>

#include "import/onnx/schema.h"

namespace supernova::import::onnx {
namespace {

constexpr size_t kShownLabels = 20;
constexpr size_t kShownLength = 60;

// Names that nodes of the outermost graph read.
base::Result<std::unordered_set<std::string_view>> read_names(Place graph) {
  std::unordered_set<std::string_view> names;
  Fields fields(graph, kGraphType);
  while (fields.next()) {
    if (fields.number() != graph::kNode) continue;
    Fields node(fields.place(), kNodeType);
    while (node.next()) {
      if (node.number() == node::kInput) names.insert(node.view());
    }
    SN_TRY(node.status());
  }
  SN_TRY(fields.status());
  return names;
}

}  // namespace

base::Result<std::vector<ZipMapPlan>> plan_zipmaps(std::string_view file,
                                                   const ModelSummary& summary) {
  std::vector<ZipMapPlan> plans;
  if (summary.zipmaps.empty()) return plans;
  SN_ASSIGN(const auto read, read_names({file, summary.graph}));
  for (const ZipMap& zipmap : summary.zipmaps) {
    const bool is_output =
        std::any_of(summary.outputs.begin(), summary.outputs.end(), [&](const GraphValue& value) {
          return value.name == zipmap.output && !value.type.is_tensor();
        });
    if (!is_output || read.contains(zipmap.output)) continue;
    ZipMapPlan plan{zipmap, {}};
    plan.output.name = std::string(zipmap.output);
    plan.output.data_type = tensor::DataType::kFp32;
    const auto classes = static_cast<int64_t>(zipmap.labels.size());
    plan.output.shape = {-1, classes > 0 ? classes : -1};
    plan.output.dim_names = {"", ""};
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::string zipmap_note(const ZipMapPlan& plan) {
  std::string note = base::str_cat("output '", plan.output.name,
                                   "': ZipMap removed, it is the plain tensor of probabilities");
  const std::vector<std::string>& labels = plan.zipmap.labels;
  if (labels.empty()) return note;
  note += "; its columns are ";
  for (size_t i = 0; i < std::min(labels.size(), kShownLabels); ++i) {
    base::append_text(note, i == 0 ? "" : ", ");
    note += labels[i].substr(0, kShownLength);
  }
  if (labels.size() > kShownLabels) {
    note += base::str_cat(" and ", labels.size() - kShownLabels, " more");
  }
  return note;
}

}  // namespace supernova::import::onnx
