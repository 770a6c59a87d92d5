#include "import/tflite/tflite_importer.h"

#include <algorithm>
#include <filesystem>
#include <new>

#include "base/json_writer.h"
#include "import/graph/write_onnx.h"
#include "import/tflite/attached.h"
#include "import/tflite/convert.h"
#include "import/tflite/file.h"
#include "import/tflite/ops.h"
#include "import/wire/model_file.h"
#include "import/wire/model_folder.h"

namespace supernova::import::tflite {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxText = 256;
constexpr size_t kMaxNotedSignatures = 8;

std::string text(std::string_view from_file) {
  // Content of metadata buffers is padded with zero bytes.
  const std::string_view cut = from_file.substr(0, std::min(from_file.find('\0'), kMaxText));
  return base::is_valid_utf8(cut) ? std::string(cut) : std::string();
}

std::string format_version(const File& file) {
  std::string out = base::str_cat("schema ", file.version);
  for (const auto& [name, content] : file.metadata) {
    if (name == "min_runtime_version") out += base::str_cat(", runtime ", text(content));
  }
  return out;
}

std::string tensor_names(const SubGraph& graph,
                         const std::vector<std::pair<std::string_view, uint32_t>>& map) {
  std::string out;
  for (const auto& [name, number] : map) {
    if (number >= graph.tensors.size()) continue;
    if (!out.empty()) out += ", ";
    out += base::str_cat(text(name), " = '", text(graph.tensors[number].name), "'");
    if (out.size() > 4 * kMaxText) return out + ", …";
  }
  return out;
}

void note_signatures(const File& file, uint32_t number, tensor::ModelDescription& out) {
  size_t noted = 0;
  for (const SignatureDef& signature : file.signatures) {
    if (signature.subgraph >= file.subgraphs.size() || ++noted > kMaxNotedSignatures) continue;
    const SubGraph& graph = file.subgraphs[signature.subgraph];
    out.notes.push_back(base::str_cat(
        "signature '", text(signature.key),
        signature.subgraph == number ? "': " : "', another graph (option signature takes it): ",
        tensor_names(graph, signature.inputs), " -> ", tensor_names(graph, signature.outputs)));
  }
}

// The graph that is asked for: that of a signature, or the first.
base::Result<uint32_t> wanted_graph(const File& file, const tensor::Options& options) {
  const auto option = options.find("signature");
  if (option == options.end()) return 0;
  std::vector<std::string> keys;
  for (const SignatureDef& signature : file.signatures) {
    if (signature.key == option->second && signature.subgraph < file.subgraphs.size()) {
      return signature.subgraph;
    }
    keys.push_back(text(signature.key));
  }
  return absl::InvalidArgumentError(base::str_cat("the model has no signature '", option->second,
                                                  "'; it has: ", base::str_join(keys, ", ")));
}

// Whether the option `name`, of two values, has the second one.
base::Result<bool> second_of(const tensor::Options& options, const std::string& name,
                             std::string_view first, std::string_view second) {
  const auto option = options.find(name);
  if (option == options.end() || option->second == first) return false;
  if (option->second == second) return true;
  return absl::InvalidArgumentError(base::str_cat("option ", name, " is '", option->second,
                                                  "'; it can be ", first, " or ", second));
}

base::Result<Wishes> wishes_of(const File& file, const tensor::Options& options) {
  Wishes out;
  SN_ASSIGN(out.graph, wanted_graph(file, options));
  SN_ASSIGN(out.shapes, input_shapes(options));
  SN_ASSIGN(out.state_as_tensors, second_of(options, "state", "reset", "tensors"));
  SN_ASSIGN(out.exact_activations, second_of(options, "dynamic_range", "runtime", "exact"));
  return out;
}

void describe(const File& file, std::string_view content, uint32_t number,
              tensor::ModelDescription& out) {
  out.format = "tflite";
  out.producer = text(file.description);
  out.version = format_version(file);
  out.byte_size = content.size();
  for (const SubGraph& graph : file.subgraphs) {
    for (const Operator& op : graph.operators) ++out.operators[op.name];
  }
  note_signatures(file, number, out);
  const std::vector<std::string> attached = attached_files(content);
  if (!attached.empty()) {
    out.notes.push_back(
        base::str_cat("files attached to the model: ", base::str_join(attached, ", ")));
  }
}

base::Result<tensor::ImportedModel> import_checked(std::string_view content,
                                                   const std::shared_ptr<const void>& owner,
                                                   const std::string& path,
                                                   const tensor::Options& options) {
  Reader reader(content);
  SN_ASSIGN(const File file, read_file(reader));
  SN_ASSIGN(const Wishes wishes, wishes_of(file, options));
  tensor::ModelDescription description;
  description.file = path;
  describe(file, content, wishes.graph, description);
  graph::Model model;
  model.producer_name = "supernova tflite";
  SN_TRY(convert(file, reader, owner, wishes, model, description));
  return graph::finish_import(model, std::move(description), options);
}

bool claims_file(const std::string& path) {
  const auto file = wire::ModelFile::open(path, wire::ModelFile::Mode::kMap);
  if (!file.ok()) return false;
  // Files without the mark are claimed by their name, to be refused with a reason.
  return is_tflite(file->bytes()) || fs::path(path).extension() == ".tflite";
}

std::vector<std::string> models_in(const std::string& folder) {
  return wire::files_in(folder, claims_file);
}

class TfliteImporter final : public Importer {
 public:
  std::string_view format() const override { return "tflite"; }

  std::string recognise(const std::string& path) const override {
    std::error_code error;
    if (!fs::is_directory(path, error)) return claims_file(path) ? path : "";
    const std::string preferred = (fs::path(path) / "model.tflite").string();
    if (fs::is_regular_file(preferred, error) && claims_file(preferred)) return preferred;
    const std::vector<std::string> found = models_in(path);
    if (found.empty()) return "";
    return found.size() == 1 ? found.front() : path;
  }

  base::Result<tensor::ImportedModel> import(const std::string& file,
                                             const tensor::Options& options) const override {
    std::error_code error;
    if (fs::is_directory(file, error)) {
      return wire::several_models(file, models_in(file), "TensorFlow Lite", "model.tflite");
    }
    SN_ASSIGN(wire::ModelFile opened, wire::ModelFile::open(file, wire::ModelFile::Mode::kRead));
    const auto model = std::make_shared<wire::ModelFile>(std::move(opened));
    SN_ASSIGN(tensor::ImportedModel out, import_content(model->bytes(), model, file, options));
    out.sources = {file};
    return out;
  }

  std::vector<SupportedOperator> operators() const override { return op_table().supported(); }
  int version() const override { return 2; }
};

}  // namespace

base::Result<tensor::ImportedModel> import_content(std::string_view content,
                                                   const std::shared_ptr<const void>& owner,
                                                   const std::string& file,
                                                   const tensor::Options& options) {
  try {
    base::Result<tensor::ImportedModel> model = import_checked(content, owner, file, options);
    if (!model.ok()) return base::annotate(model.status(), file);
    return model;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(base::str_cat(file, ": not enough memory to import it"));
  }
}

std::unique_ptr<Importer> make_importer() { return std::make_unique<TfliteImporter>(); }

}  // namespace supernova::import::tflite
