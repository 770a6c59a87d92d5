#include "import/onnx/onnx_importer.h"

#include <algorithm>
#include <filesystem>
#include <new>
#include <unordered_set>

#include "base/json_writer.h"
#include "import/onnx/recognise.h"
#include "import/onnx/rewrite.h"
#include "import/onnx/schema.h"
#include "import/onnx/summary.h"
#include "import/onnx/wrapped.h"
#include "import/onnx/zipmap.h"
#include "import/wire/model_file.h"
#include "import/wire/model_folder.h"

namespace supernova::import::onnx {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxProtobuf = uint64_t{1} << 31U;
constexpr size_t kMaxTextLength = 256;
// From this IR version on, an initializer of the same name makes an input optional; before, every
// initializer had to be listed as an input and is a constant.
constexpr int64_t kOptionalInputsSince = 4;
constexpr int64_t kOpsetsSince = 3;
constexpr size_t kFewInitializers = 4;

std::string text(std::string_view from_file) {
  return std::string(from_file.substr(0, kMaxTextLength));
}

std::string producer(const ModelSummary& summary) {
  if (summary.producer_version.empty()) return text(summary.producer_name);
  return base::str_cat(text(summary.producer_name), summary.producer_name.empty() ? "" : " ",
                       text(summary.producer_version));
}

// "IR 8, opset 17, ai.onnx.ml 3"
std::string format_version(const ModelSummary& summary) {
  std::string out = base::str_cat("IR ", summary.ir_version);
  for (const auto& [domain, version] : summary.opsets) {
    out += base::str_cat(", ", domain.empty() ? "opset" : text(domain), " ", version);
  }
  return out;
}

base::Status check_model(const ModelSummary& summary) {
  if (!summary.has_graph) {
    return absl::InvalidArgumentError("the model has no graph; the file may be incomplete");
  }
  if (summary.ir_version <= 0) {
    return absl::InvalidArgumentError("the model has no IR version; export it again");
  }
  if (summary.opsets.empty() && summary.ir_version >= kOpsetsSince) {
    return absl::InvalidArgumentError(
        "the model imports no operator set, so the meaning of its operators is unknown; export it "
        "again");
  }
  if (summary.outputs.empty()) {
    return absl::InvalidArgumentError(summary.node_count == 0 ? "the graph is empty"
                                                              : "the graph has no outputs");
  }
  return absl::OkStatus();
}

base::Status not_served(const GraphValue& value, std::string_view side) {
  return absl::UnimplementedError(base::str_cat(
      side, " '", value.name, "' has type ", value.type.words,
      ", which can't be served; wrap the model so that it takes and returns tensors of ordinary "
      "numbers or strings, or sequences or optional values of these"));
}

// One declared input or output in terms of the server.
base::Result<tensor::TensorInfo> describe(const GraphValue& value, std::string_view side,
                                          std::vector<std::string>& notes) {
  tensor::TensorInfo info;
  info.name = std::string(value.name);
  info.data_type = element_data_type(value.type.element_type);
  const bool declared = !value.type.words.empty();
  const bool carried = value.type.element_type == 0 || info.data_type != tensor::DataType::kInvalid;
  if (!declared || value.type.is_tensor()) {
    if (!carried) return not_served(value, side);
    info.rank_known = value.type.rank_known;
    info.shape.assign(value.type.shape.begin(), value.type.shape.end());
    info.dim_names = value.type.dim_names;
    return info;
  }
  std::optional<tensor::Shape> shape = wrapped_shape(value.type);
  if (!shape || !carried) return not_served(value, side);
  info.data_type = tensor::DataType::kBytes;
  info.shape = *std::move(shape);
  info.dim_names.resize(info.shape.size());
  info.optional = side == "input" && value.type.wrappers.front() == Wrapper::kOptional;
  info.model_type = value.type.words;
  notes.push_back(wrapped_note(side, value.name, value.type));
  return info;
}

base::Status check_name(std::string_view name, std::string_view side,
                        std::unordered_set<std::string_view>& seen) {
  if (name.empty()) {
    return absl::InvalidArgumentError(base::str_cat("an ", side, " of the graph has no name"));
  }
  if (name.find('\0') != std::string_view::npos || !base::is_valid_utf8(name)) {
    return absl::InvalidArgumentError(
        base::str_cat("the name of an ", side, " of the graph is not UTF-8 text"));
  }
  if (!seen.insert(name).second) {
    return absl::InvalidArgumentError(
        base::str_cat("the graph has two ", side, "s named '", name, "'"));
  }
  return absl::OkStatus();
}

// Some exporters list every weight as an input too. Taken at its word such a model has hundreds of
// optional inputs, and the runtime can't fold constants. A graph that lists all of its
// initializers, and more than a few, is taken for one of these; one that lists some of them means
// it.
base::Result<bool> initializers_are_constant(const ModelSummary& summary,
                                             const tensor::Options& options) {
  if (summary.ir_version < kOptionalInputsSince) return false;
  const auto listed = static_cast<size_t>(std::count_if(
      summary.inputs.begin(), summary.inputs.end(),
      [&](const GraphValue& value) { return summary.initializers.contains(value.name); }));
  const auto option = options.find("initializer_inputs");
  if (option == options.end()) {
    return listed > kFewInitializers && listed == summary.initializers.size();
  }
  if (option->second != "constant" && option->second != "optional") {
    return absl::InvalidArgumentError(base::str_cat(
        "option initializer_inputs is '", option->second, "'; it is 'constant' or 'optional'"));
  }
  return option->second == "constant" && listed > 0;
}

base::Status describe_inputs(const ModelSummary& summary, bool constant_initializers,
                             tensor::ModelDescription& out) {
  std::unordered_set<std::string_view> seen;
  size_t constants = 0;
  for (const GraphValue& value : summary.inputs) {
    const bool has_default = summary.initializers.contains(value.name);
    if (has_default && summary.ir_version < kOptionalInputsSince) continue;
    SN_TRY(check_name(value.name, "input", seen));
    if (has_default && constant_initializers) {
      ++constants;
      continue;
    }
    SN_ASSIGN(tensor::TensorInfo info, describe(value, "input", out.notes));
    info.optional |= has_default;
    out.inputs.push_back(std::move(info));
  }
  if (constants > 0) {
    out.notes.push_back(
        base::str_cat(constants,
                      " weights that the graph lists as inputs are constants (option "
                      "initializer_inputs=optional keeps them as inputs)"));
  }
  return absl::OkStatus();
}

base::Status describe_outputs(const ModelSummary& summary, const std::vector<ZipMapPlan>& plans,
                              tensor::ModelDescription& out) {
  std::unordered_set<std::string_view> seen;
  for (const GraphValue& value : summary.outputs) {
    SN_TRY(check_name(value.name, "output", seen));
    const auto plan = std::find_if(plans.begin(), plans.end(), [&](const ZipMapPlan& candidate) {
      return candidate.zipmap.output == value.name;
    });
    if (plan != plans.end()) {
      out.outputs.push_back(plan->output);
      out.notes.push_back(zipmap_note(*plan));
      continue;
    }
    SN_ASSIGN(tensor::TensorInfo info, describe(value, "output", out.notes));
    out.outputs.push_back(std::move(info));
  }
  return absl::OkStatus();
}

std::string folder_of(const std::string& file) {
  const std::string folder = fs::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

void fix_sizes(const InputShapes& shapes, tensor::TensorInfo& info) {
  const auto at = shapes.find(info.name);
  if (at == shapes.end() || !info.rank_known) return;
  for (size_t i = 0; i < at->second.size(); ++i) {
    if (at->second[i] >= 0) info.shape[i] = at->second[i];
  }
}

base::Result<tensor::ImportedModel> import_checked(std::string_view content,
                                                   const std::string& file,
                                                   const tensor::Options& options) {
  SN_ASSIGN(const ModelSummary summary, summarise(content));
  SN_TRY(check_model(summary));
  tensor::ImportedModel out;
  tensor::ModelDescription& description = out.description;
  description.format = "onnx";
  description.producer = producer(summary);
  description.version = format_version(summary);
  description.file = file;
  description.operators = {summary.operators.begin(), summary.operators.end()};
  Changes changes;
  SN_ASSIGN(changes.zipmaps, plan_zipmaps(content, summary));
  SN_ASSIGN(changes.constant_initializers, initializers_are_constant(summary, options));
  SN_TRY(describe_inputs(summary, changes.constant_initializers, description));
  SN_TRY(describe_outputs(summary, changes.zipmaps, description));
  SN_ASSIGN(const auto external, check_external_data(summary.external, folder_of(file)));
  description.byte_size = content.size();
  out.sources.push_back(file);
  for (const DataFile& data : external) {
    description.byte_size += data.size;
    out.sources.push_back(data.path);
  }
  SN_ASSIGN(changes.input_shapes, input_shapes(options));
  SN_TRY(check_input_shapes(changes.input_shapes, description.inputs));
  for (tensor::TensorInfo& info : description.inputs) fix_sizes(changes.input_shapes, info);
  out.artefact.format = "onnx";
  out.artefact.path = file;
  if (changes.any()) {
    SN_ASSIGN(std::string rewritten, rewrite(content, summary, changes));
    auto kept = std::make_shared<std::string>(std::move(rewritten));
    out.artefact.bytes = tensor::Buffer::adopt(kept->data(), kept->size(), [kept] {});
    out.artefact.path = folder_of(file);
  }
  return out;
}

// What is not worth parsing.
base::Status refuse_other_content(std::string_view content) {
  if (content.empty()) return absl::InvalidArgumentError("the file is empty");
  if (is_lfs_pointer(content)) {
    return absl::InvalidArgumentError(
        "this is a Git LFS pointer, not the model; fetch the model with 'git lfs pull'");
  }
  if (is_ort_format(content)) {
    return absl::UnimplementedError(
        "this is a model in ONNX Runtime's own .ort format, which is not taken; use the .onnx file "
        "it was made from");
  }
  if (content.size() >= kMaxProtobuf) {
    return absl::InvalidArgumentError(
        base::str_cat("the file has ", content.size(),
                      " bytes, but the format ends at 2 GiB; save the weights as external data"));
  }
  return absl::OkStatus();
}

class OnnxImporter final : public Importer {
 public:
  std::string_view format() const override { return "onnx"; }

  std::string recognise(const std::string& path) const override { return find_model(path); }

  base::Result<tensor::ImportedModel> import(const std::string& file,
                                             const tensor::Options& options) const override {
    std::error_code error;
    if (fs::is_directory(file, error)) {
      return wire::several_models(file, models_in(file), "ONNX", "model.onnx");
    }
    SN_ASSIGN(const wire::ModelFile model,
              wire::ModelFile::open(file, wire::ModelFile::Mode::kRead));
    return import_content(model.bytes(), file, options);
  }

  // Below this size it is read, not mapped, and the walk over it is bounds-checked.
  bool is_light(const std::string& file) const override {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    return error || size < wire::ModelFile::kReadBelow;
  }
};

}  // namespace

base::Result<tensor::ImportedModel> import_content(std::string_view content,
                                                   const std::string& file,
                                                   const tensor::Options& options) {
  if (const base::Status status = refuse_other_content(content); !status.ok()) {
    return base::annotate(status, file);
  }
  try {
    base::Result<tensor::ImportedModel> model = import_checked(content, file, options);
    if (!model.ok()) return base::annotate(model.status(), file);
    return model;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(base::str_cat(file, ": not enough memory to import it"));
  }
}

std::unique_ptr<Importer> make_importer() { return std::make_unique<OnnxImporter>(); }

}  // namespace supernova::import::onnx
