#include "import/caffe/caffe_importer.h"

#include <algorithm>
#include <new>

#include "import/caffe/convert.h"
#include "import/caffe/ops.h"
#include "import/caffe/recognise.h"
#include "import/graph/passes.h"
#include "import/graph/write_onnx.h"
#include "import/wire/model_file.h"

namespace supernova::import::caffe {
namespace {

base::Result<Net> read_net_text(const Content& net, const tensor::Options& options) {
  auto text = parse_text(net.bytes);
  if (!text.ok()) {
    // "net.prototxt:12:5: ..."
    return absl::InvalidArgumentError(base::str_cat(net.name, ":", base::message(text.status())));
  }
  if (!is_net(**text)) {
    return absl::InvalidArgumentError(
        base::str_cat(net.name, ": is text, but not a net's description with layers"));
  }
  auto out = read_net(*std::move(text), options);
  if (!out.ok()) return base::annotate(out.status(), net.name);
  return out;
}

base::Result<std::optional<Weights>> read_weights_file(const std::optional<Content>& weights) {
  if (!weights) return std::optional<Weights>();
  auto out = read_weights(weights->bytes, weights->owner);
  if (!out.ok()) return base::annotate(out.status(), weights->name);
  return std::optional<Weights>(*std::move(out));
}

bool may_vary(const Net& net, const tensor::Options& options) {
  const auto option = options.find("batch");
  if (net.fixed_batch || (option != options.end() && option->second == "fixed")) return false;
  return std::all_of(net.inputs.begin(), net.inputs.end(), [&](const NetInput& input) {
    return input.shape.size() > 1 && input.shape[0] == net.inputs[0].shape[0];
  });
}

base::Status check_options(const tensor::Options& options) {
  const auto batch = options.find("batch");
  if (batch != options.end() && batch->second != "fixed" && batch->second != "auto") {
    return absl::InvalidArgumentError(
        base::str_cat("option batch is '", batch->second, "'; it is 'auto' or 'fixed'"));
  }
  return absl::OkStatus();
}

// With a batch of any size where every layer treats items apart, else as declared.
base::Result<Converted> convert_batched(const Net& net, const Weights* weights,
                                        const tensor::Options& options) {
  if (!net.inputs.empty() && may_vary(net, options)) {
    auto varying = convert(net, weights, options, true);
    if (varying.ok() && graph::batch_independence(varying->model).independent) return varying;
  }
  return convert(net, weights, options, false);
}

// With images of any size where the net declares a placeholder and its layers can do it.
base::Result<Converted> convert_best(const Net& net, const Weights* weights,
                                     const tensor::Options& options) {
  Net open = net;
  open_placeholders(open);
  if (open.has_open_sizes) {
    auto out = convert_batched(open, weights, options);
    if (out.ok()) return out;
  }
  return convert_batched(net, weights, options);
}

void describe(const Net& net, const std::optional<Weights>& weights,
              tensor::ModelDescription& out) {
  out.format = "caffe";
  out.version = net.old_layers ? "V1 (layers)" : "V2 (layer)";
  for (const Layer& layer : net.layers) ++out.operators[layer.type];
  if (!weights) return;
  size_t unused = 0;
  for (const auto& [name, layer] : weights->layers) {
    unused += std::none_of(net.layers.begin(), net.layers.end(),
                           [&name = name](const Layer& at) { return at.name == name; })
                  ? 1
                  : 0;
  }
  if (unused > 0) {
    out.notes.push_back(base::str_cat("the weights of ", unused,
                                      " layers are not used: the net has no such layers"));
  }
}

base::Result<tensor::ImportedModel> import_checked(const Content& net_file,
                                                   const std::optional<Content>& weights_file,
                                                   const tensor::Options& options) {
  SN_TRY(check_options(options));
  SN_ASSIGN(const Net net, read_net_text(net_file, options));
  SN_ASSIGN(const std::optional<Weights> weights, read_weights_file(weights_file));
  auto converted = convert_best(net, weights ? &*weights : nullptr, options);
  if (!converted.ok()) return base::annotate(converted.status(), net_file.name);
  tensor::ModelDescription description;
  describe(net, weights, description);
  description.file = net_file.name;
  description.byte_size = net_file.bytes.size() + (weights_file ? weights_file->bytes.size() : 0);
  description.notes.insert(description.notes.end(), converted->notes.begin(),
                           converted->notes.end());
  auto model = graph::finish_import(converted->model, std::move(description), options);
  if (!model.ok()) return base::annotate(model.status(), net_file.name);
  return model;
}

base::Result<Content> open(const std::string& path) {
  auto file = wire::ModelFile::open(path, wire::ModelFile::Mode::kRead);
  if (!file.ok()) return file.status();
  auto owner = std::make_shared<const wire::ModelFile>(*std::move(file));
  const std::string_view bytes = owner->bytes();
  return Content{path, bytes, std::move(owner)};
}

class CaffeImporter final : public Importer {
 public:
  std::string_view format() const override { return "caffe"; }

  std::string recognise(const std::string& path) const override { return find_model(path); }

  base::Result<tensor::ImportedModel> import(const std::string& file,
                                             const tensor::Options& options) const override {
    auto files = find_files(file, options);
    if (!files.ok()) return base::annotate(files.status(), file);
    SN_ASSIGN(const Content net, open(files->net));
    std::optional<Content> weights;
    if (!files->weights.empty()) {
      SN_ASSIGN(weights, open(files->weights));
    }
    SN_ASSIGN(tensor::ImportedModel out, import_content(net, weights, options));
    out.sources = {files->net};
    if (weights) out.sources.push_back(files->weights);
    return out;
  }

  std::vector<SupportedOperator> operators() const override { return op_table().supported(); }
};

}  // namespace

base::Result<tensor::ImportedModel> import_content(const Content& net,
                                                   const std::optional<Content>& weights,
                                                   const tensor::Options& options) {
  try {
    return import_checked(net, weights, options);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(
        base::str_cat(net.name, ": not enough memory to import it"));
  }
}

std::unique_ptr<Importer> make_importer() { return std::make_unique<CaffeImporter>(); }

}  // namespace supernova::import::caffe
