#include "import/caffe/net.h"

#include <algorithm>
#include <array>
#include <set>

#include "import/caffe/params.h"
#include "import/input_shapes.h"

namespace supernova::import::caffe {
namespace {

constexpr size_t kMaxLayers = 20000;

struct OldType {
  int64_t number;
  std::string_view old_name;
  std::string_view name;
};

// V1LayerParameter.LayerType, the common forks' additions by name only.
constexpr std::array<OldType, 52> kOldTypes{
    {{35, "ABSVAL", "AbsVal"},
     {1, "ACCURACY", "Accuracy"},
     {30, "ARGMAX", "ArgMax"},
     {2, "BNLL", "BNLL"},
     {3, "CONCAT", "Concat"},
     {37, "CONTRASTIVE_LOSS", "ContrastiveLoss"},
     {4, "CONVOLUTION", "Convolution"},
     {40, "CROP", "Crop"},
     {5, "DATA", "Data"},
     {39, "DECONVOLUTION", "Deconvolution"},
     {6, "DROPOUT", "Dropout"},
     {32, "DUMMY_DATA", "DummyData"},
     {7, "EUCLIDEAN_LOSS", "EuclideanLoss"},
     {25, "ELTWISE", "Eltwise"},
     {38, "EXP", "Exp"},
     {8, "FLATTEN", "Flatten"},
     {9, "HDF5_DATA", "HDF5Data"},
     {10, "HDF5_OUTPUT", "HDF5Output"},
     {28, "HINGE_LOSS", "HingeLoss"},
     {11, "IM2COL", "Im2col"},
     {12, "IMAGE_DATA", "ImageData"},
     {13, "INFOGAIN_LOSS", "InfogainLoss"},
     {14, "INNER_PRODUCT", "InnerProduct"},
     {15, "LRN", "LRN"},
     {29, "MEMORY_DATA", "MemoryData"},
     {16, "MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"},
     {34, "MVN", "MVN"},
     {17, "POOLING", "Pooling"},
     {26, "POWER", "Power"},
     {18, "RELU", "ReLU"},
     {19, "SIGMOID", "Sigmoid"},
     {27, "SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"},
     {36, "SILENCE", "Silence"},
     {20, "SOFTMAX", "Softmax"},
     {21, "SOFTMAX_LOSS", "SoftmaxWithLoss"},
     {22, "SPLIT", "Split"},
     {33, "SLICE", "Slice"},
     {23, "TANH", "TanH"},
     {24, "WINDOW_DATA", "WindowData"},
     {31, "THRESHOLD", "Threshold"},
     {-1, "BN", "BN"},
     {-1, "ELU", "ELU"},
     {-1, "INTERP", "Interp"},
     {-1, "LOG", "Log"},
     {-1, "NORMALIZE", "Normalize"},
     {-1, "PERMUTE", "Permute"},
     {-1, "PRELU", "PReLU"},
     {-1, "REDUCTION", "Reduction"},
     {-1, "RESHAPE", "Reshape"},
     {-1, "ROI_POOLING", "ROIPooling"},
     {-1, "TILE", "Tile"},
     {-1, "UPSAMPLE", "Upsample"}}};

// Forks add fields of their own to a net, so others than these are let pass, except for those that
// show another format: TensorFlow's graphs, ONNX, Triton's configuration.
constexpr std::array<std::string_view, 8> kForeignFields{
    "node", "graph", "ir_version", "opset_import", "platform", "backend", "max_batch_size", "item"};

struct State {
  std::string phase = "TEST";
  int64_t level = 0;
  std::set<std::string> stages;
};

// Whether one include or exclude rule speaks of this state.
bool meets(const Params& rule, const State& state) {
  if (rule.has("phase") && rule.choice("phase", {"TRAIN", "TEST"}, "TRAIN") != state.phase) {
    return false;
  }
  if (rule.has("min_level") && state.level < rule.integer("min_level", 0)) return false;
  if (rule.has("max_level") && state.level > rule.integer("max_level", 0)) return false;
  for (const std::string& stage : rule.texts("stage")) {
    if (!state.stages.contains(stage)) return false;
  }
  for (const std::string& stage : rule.texts("not_stage")) {
    if (state.stages.contains(stage)) return false;
  }
  return true;
}

bool is_included(const Params& layer, const State& state) {
  const auto included = layer.messages("include");
  const auto excluded = layer.messages("exclude");
  const auto met = [&](const Params& rule) { return meets(rule, state); };
  if (!included.empty()) return std::any_of(included.begin(), included.end(), met);
  return std::none_of(excluded.begin(), excluded.end(), met);
}

std::set<std::string> split(std::string_view text, char separator) {
  std::set<std::string> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Nets for training, validation and deployment in one file tell them apart by stages.
bool mentions_deploy(const std::vector<Params>& layers) {
  return std::any_of(layers.begin(), layers.end(), [](const Params& layer) {
    const auto included = layer.messages("include");
    return std::any_of(included.begin(), included.end(), [](const Params& rule) {
      const auto stages = rule.texts("stage");
      return std::find(stages.begin(), stages.end(), "deploy") != stages.end();
    });
  });
}

base::Result<std::string> layer_type(const Params& params, const TextField& field, bool old) {
  const TextField* type = field.message->find("type");
  if (old && field.message->find("layer") != nullptr) {
    return absl::UnimplementedError(base::str_cat(
        to_string(field.position),
        ": a layer inside of 'layers' is the oldest form of Caffe's nets (V0), which is not taken; "
        "convert it with Caffe's own upgrade_net_proto_text"));
  }
  if (type == nullptr) {
    return absl::InvalidArgumentError(
        base::str_cat(to_string(field.position), ": a layer without a type"));
  }
  std::string name = params.text("type");
  if (!old) return name;
  const std::string_view newer = newer_type(name);
  if (newer.empty() && type->kind == TextField::Kind::kScalar) {
    return absl::UnimplementedError(base::str_cat(to_string(type->position), ": layer type '", name,
                                                  "' is none of Caffe's older form"));
  }
  return newer.empty() ? name : std::string(newer);
}

base::Status add_input(Net& net, std::string name, std::vector<int64_t> shape) {
  for (const NetInput& other : net.inputs) {
    if (other.name == name) {
      return absl::InvalidArgumentError(base::str_cat("the net has two inputs named '", name, "'"));
    }
  }
  net.inputs.push_back({std::move(name), std::move(shape)});
  return absl::OkStatus();
}

base::Status read_inputs(const Params& root, Net& net) {
  const std::vector<std::string> names = root.texts("input");
  const std::vector<int64_t> dims = root.integers("input_dim");
  const std::vector<Params> shapes = root.messages("input_shape");
  if (!shapes.empty() && shapes.size() != names.size()) {
    return absl::InvalidArgumentError(base::str_cat("the net has ", names.size(), " 'input' and ",
                                                    shapes.size(), " 'input_shape'"));
  }
  if (shapes.empty() && !dims.empty() && dims.size() != 4 * names.size()) {
    return absl::InvalidArgumentError(
        base::str_cat("the net has ", names.size(), " 'input' and ", dims.size(),
                      " 'input_dim', of which there are four per input"));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    std::vector<int64_t> shape;
    if (!shapes.empty()) {
      shape = shapes[i].shape();
    } else if (!dims.empty()) {
      shape.assign(dims.begin() + static_cast<int64_t>(4 * i),
                   dims.begin() + static_cast<int64_t>(4 * i + 4));
    }
    SN_TRY(add_input(net, names[i], std::move(shape)));
  }
  return absl::OkStatus();
}

base::Status read_input_layer(const Params& params, const Layer& layer, Net& net) {
  const std::vector<Params> shapes = params.message("input_param").messages("shape");
  if (shapes.size() > 1 && shapes.size() != layer.tops.size()) {
    return absl::InvalidArgumentError(base::str_cat("layer '", layer.name, "' has ",
                                                    layer.tops.size(), " tops and ", shapes.size(),
                                                    " shapes"));
  }
  for (size_t i = 0; i < layer.tops.size(); ++i) {
    std::vector<int64_t> shape;
    if (!shapes.empty()) shape = shapes[shapes.size() == 1 ? 0 : i].shape();
    SN_TRY(add_input(net, layer.tops[i], std::move(shape)));
  }
  return absl::OkStatus();
}

// How programs that hold the data feed a net: its first top is an input, its second the labels.
base::Status read_memory_data(const Params& params, const Layer& layer, Net& net) {
  const Params sizes = params.message("memory_data_param");
  std::vector<int64_t> shape;
  for (const char* size : {"batch_size", "channels", "height", "width"}) {
    shape.push_back(sizes.integer(size, 0));
  }
  if (layer.tops.empty()) return absl::OkStatus();
  net.notes.push_back(base::str_cat("the input '", layer.tops[0], "' is a MemoryData layer's: it ",
                                    "takes what that layer's transform_param would leave"));
  return add_input(net, layer.tops[0], std::move(shape));
}

base::Status read_layer(const TextField& field, const State& state, base::Status& status,
                        Net& net) {
  const bool old = field.name == "layers";
  if (field.kind != TextField::Kind::kMessage) {
    return absl::InvalidArgumentError(
        base::str_cat(to_string(field.position), ": '", field.name, "' is not a message"));
  }
  const Params params(field.message.get(), "", status);
  const bool included = is_included(params, state);
  SN_TRY(status);
  if (!included) return absl::OkStatus();
  Layer layer;
  SN_ASSIGN(layer.type, layer_type(params, field, old));
  layer.name = params.text("name");
  layer.bottoms = params.texts("bottom");
  layer.tops = params.texts("top");
  layer.text = field.message.get();
  layer.position = field.position;
  layer.old = old;
  net.old_layers |= old;
  if (layer.type == "Input") return read_input_layer(params, layer, net);
  if (layer.type == "MemoryData") return read_memory_data(params, layer, net);
  if (net.layers.size() >= kMaxLayers) {
    return absl::ResourceExhaustedError("the net has too many layers");
  }
  net.layers.push_back(std::move(layer));
  return absl::OkStatus();
}

// The user's own shapes in place of the net's: Caffe's nets may be reshaped.
base::Status apply_shapes(const InputShapes& shapes, Net& net) {
  for (const auto& [name, shape] : shapes) {
    const auto input = std::find_if(net.inputs.begin(), net.inputs.end(),
                                    [&name = name](const NetInput& at) { return at.name == name; });
    if (input == net.inputs.end()) {
      return absl::InvalidArgumentError(
          base::str_cat("a shape is given for '", name, "', which is no input of the net"));
    }
    std::vector<int64_t> sizes = shape;
    if (!sizes.empty() && sizes[0] == -1) {  // open anyway, where it can be
      sizes[0] = input->shape.empty() || input->shape[0] < 1 ? 1 : input->shape[0];
    } else {
      net.fixed_batch = true;
    }
    input->shape = std::move(sizes);
  }
  return absl::OkStatus();
}

base::Status check_inputs(const Net& net) {
  for (const NetInput& input : net.inputs) {
    if (input.name.empty()) return absl::InvalidArgumentError("an input of the net has no name");
    if (input.shape.empty()) {
      return absl::InvalidArgumentError(
          base::str_cat("input '", input.name, "' has no shape; give one with option input_shape.",
                        input.name, "=1,3,224,224"));
    }
    for (const int64_t size : input.shape) {
      if (size == 0 || size < -1 || size > int64_t{1} << 30U) {
        return absl::InvalidArgumentError(
            base::str_cat("input '", input.name, "' has a size of ", size));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view newer_type(std::string_view older) {
  const auto number = parse_integer(older);
  for (const OldType& type : kOldTypes) {
    if (type.old_name == older || (number && type.number == *number && type.number > 0)) {
      return type.name;
    }
  }
  return "";
}

bool is_net(const TextMessage& text) {
  bool layers = false;
  for (const TextField& field : text.fields) {
    if (std::find(kForeignFields.begin(), kForeignFields.end(), field.name) !=
        kForeignFields.end()) {
      return false;
    }
    const bool layer = field.name == "layer" || field.name == "layers";
    const bool message = field.kind == TextField::Kind::kMessage;
    if (layer && !message) return false;
    if ((field.name == "input" || field.name == "input_dim") && message) return false;
    layers |= layer &&
              (field.message->find("type") != nullptr || field.message->find("layer") != nullptr);
  }
  return layers;
}

namespace {

// A window larger than one that reads this blob: an image is meant.
bool is_read_by_window(const Net& net, const std::string& blob) {
  return std::any_of(net.layers.begin(), net.layers.end(), [&](const Layer& layer) {
    const TextField* params =
        layer.text->find(layer.type == "Pooling" ? "pooling_param" : "convolution_param");
    if (params == nullptr || params->kind != TextField::Kind::kMessage ||
        std::find(layer.bottoms.begin(), layer.bottoms.end(), blob) == layer.bottoms.end()) {
      return false;
    }
    const TextField* kernel = params->message->find("kernel_size");
    return kernel != nullptr && parse_integer(kernel->text).value_or(1) > 1;
  });
}

}  // namespace

void open_placeholders(Net& net) {
  for (NetInput& input : net.inputs) {
    const bool placeholder = input.shape.size() == 4 && input.shape[2] == 1 && input.shape[3] == 1;
    if (!placeholder || !is_read_by_window(net, input.name)) continue;
    input.shape[2] = -1;
    input.shape[3] = -1;
    net.has_open_sizes = true;
  }
}

base::Result<Net> read_net(std::shared_ptr<const TextMessage> text,
                           const tensor::Options& options) {
  Net net;
  base::Status status;
  const Params root(text.get(), "", status);
  net.text = text;
  net.name = root.text("name");
  State state;
  const Params own_state = root.message("state");
  state.level = own_state.integer("level", 0);
  for (std::string& stage : own_state.texts("stage")) state.stages.insert(std::move(stage));
  if (const auto stages = options.find("stages"); stages != options.end()) {
    state.stages = split(stages->second, ',');
  } else if (state.stages.empty() && mentions_deploy(root.messages("layer"))) {
    state.stages.insert("deploy");
    net.notes.emplace_back("the layers of stage 'deploy' were taken (option stages takes others)");
  }
  SN_TRY(read_inputs(root, net));
  for (const TextField& field : text->fields) {
    if (field.name != "layer" && field.name != "layers") continue;
    SN_TRY(read_layer(field, state, status, net));
    SN_TRY(status);
  }
  SN_TRY(status);
  SN_ASSIGN(const InputShapes shapes, input_shapes(options));
  SN_TRY(apply_shapes(shapes, net));
  SN_TRY(check_inputs(net));
  if (net.layers.empty()) return absl::InvalidArgumentError("the net has no layers");
  return net;
}

}  // namespace supernova::import::caffe
