#include "import/caffe/convert.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "import/caffe/ops.h"

namespace supernova::import::caffe {
namespace {

constexpr int64_t kMaxCount = std::numeric_limits<int32_t>::max();

// What is known and still not taken, with the way out.
std::string_view why_not(std::string_view type) {
  static constexpr std::string_view kData =
      "reads training data, which is not there at use; take the deploy.prototxt, whose inputs are "
      "Input layers";
  static constexpr std::string_view kYolo =
      "decodes YOLO's maps, which every fork does in its own way; remove the layer, so that the "
      "maps are outputs, and decode them outside";
  static const std::map<std::string_view, std::string_view> kReasons{
      {"Data", kData},
      {"DummyData", kData},
      {"HDF5Data", kData},
      {"ImageData", kData},
      {"WindowData", kData},
      {"VideoData", kData},
      {"AnnotatedData", kData},
      {"HDF5Output", "writes a file; remove the layer"},
      {"Filter", "makes results whose size depends on the data"},
      {"Im2col", "is not supported"},
      {"Recurrent", "is the base of RNN and LSTM, not a layer of its own"},
      {"Region", kYolo},
      {"RegionOutput", kYolo},
      {"YoloOutput", kYolo},
      {"YoloDetectionOutput", kYolo},
      {"Yolov3DetectionOutput", kYolo}};
  const auto at = kReasons.find(type);
  return at != kReasons.end() ? at->second
                              : "there is no such layer in Caffe or the forks known here";
}

bool needs_labels(std::string_view type) {
  return type == "Accuracy" || type == "DetectionEvaluate" ||
         (type.ends_with("Loss") && type != "SoftmaxWithLoss");
}

class Converter {
 public:
  Converter(const Net& net, const Weights* weights, const tensor::Options& options,
            graph::Model& model)
      : net_(net), weights_(weights), options_(options), build_(model) {}

  base::Status run(bool symbolic_batch) {
    for (const NetInput& input : net_.inputs) add_input(input, symbolic_batch);
    for (const Layer& layer : net_.layers) add_layer(layer);
    SN_TRY(build_.finish());
    std::map<size_t, std::string_view> outputs;  // in the order they are made
    for (const auto& [name, when] : made_) {
      if (!consumed_.contains(name)) outputs[when] = name;
    }
    for (const auto& [when, name] : outputs) build_.output(blobs_.find(name)->second, name);
    if (outputs.empty()) return absl::InvalidArgumentError("the net has no outputs");
    return absl::OkStatus();
  }

 private:
  void add_input(const NetInput& input, bool symbolic_batch) {
    Dims dims;
    for (size_t i = 0; i < input.shape.size(); ++i) {
      // Images that are open have sizes of their own.
      const std::string axis = i == 2 ? "_height" : i == 3 ? "_width" : base::str_cat("_", i);
      dims.push_back(input.shape[i] >= 0 ? Dim(input.shape[i]) : Dim::symbol(input.name + axis));
    }
    if (symbolic_batch) dims[0] = Dim::symbol("batch");
    blobs_[input.name] = build_.input(input.name, graph::Type::of(tensor::DataType::kFp32, dims));
    if (!is_countable(dims)) {
      build_.enter("Input", input.name);
      build_.fail(base::str_cat("has too large a shape: ", graph::to_string(dims)));
    }
  }

  static bool is_countable(const Dims& dims) {
    int64_t count = 1;
    for (const Dim& dim : dims) {
      if (__builtin_mul_overflow(count, dim.constant().value_or(1), &count)) return false;
    }
    return count <= kMaxCount;
  }

  void add_layer(const Layer& layer) {
    const std::string node =
        layer.name.empty() ? base::str_cat("at ", to_string(layer.position)) : layer.name;
    build_.enter(layer.type, node);
    LayerContext ctx(build_, layer, weights_, options_);
    ctx.numbers_made = &numbers_made_;
    const OpTable::Entry* entry = op_table().find(layer.type);
    if (entry == nullptr && needs_labels(layer.type)) return;  // a fork's own loss
    bool poisoned = entry == nullptr;
    if (entry == nullptr) ctx.fail(why_not(layer.type));
    poisoned |= !read_bottoms(layer, ctx);
    if (!poisoned && !ctx.failed()) {
      entry->convert(ctx);
      if (!ctx.param_status().ok()) ctx.fail("");
    }
    hand_out(layer, ctx, needs_labels(layer.type));
  }

  // False when a bottom could not be made itself.
  bool read_bottoms(const Layer& layer, LayerContext& ctx) {
    const bool dropped = needs_labels(layer.type);
    bool whole = true;
    for (size_t i = 0; i < layer.bottoms.size(); ++i) {
      const std::string& name = layer.bottoms[i];
      const auto at = blobs_.find(name);
      const bool label = dropped || (layer.type == "SoftmaxWithLoss" && i > 0);
      if (at == blobs_.end() && !label) {
        ctx.fail(base::str_cat("its bottom '", name, "' is made by no layer before it"));
      }
      Value* value = at != blobs_.end() ? at->second : nullptr;
      whole &= value == nullptr || !value->poison || label;
      ctx.bottoms.push_back(value);
      if (value != nullptr && !dropped) consumed_.insert(name);
    }
    return whole && !ctx.failed();
  }

  void hand_out(const Layer& layer, LayerContext& ctx, bool dropped) {
    if (dropped) return;
    for (size_t i = 0; i < layer.tops.size(); ++i) {
      const std::string& name = layer.tops[i];
      Value* value = i < ctx.tops.size() ? ctx.tops[i] : nullptr;
      if (value == nullptr) {
        if (!build_.failed() && !any_poison(ctx)) {
          ctx.fail(base::str_cat("its top '", name, "' is not made at use"));
        }
        value = poison();
      }
      if (!value->poison && !is_countable(value->dims())) {
        ctx.fail(base::str_cat("its result of shape ", graph::to_string(value->dims()),
                               " is too large"));
      }
      const bool in_place =
          std::find(layer.bottoms.begin(), layer.bottoms.end(), name) != layer.bottoms.end();
      if (!in_place && blobs_.contains(name)) {
        ctx.fail(base::str_cat("its top '", name, "' is made by another layer already"));
      }
      publish(name, value);
    }
  }

  void publish(const std::string& name, Value* value) {
    if (value->name.empty() && value->producer != nullptr) value->name = name;
    blobs_[name] = value;
    consumed_.erase(name);
    made_[name] = made_count_++;
  }

  static bool any_poison(const LayerContext& ctx) {
    return std::any_of(ctx.bottoms.begin(), ctx.bottoms.end(),
                       [](const Value* value) { return value != nullptr && value->poison; });
  }

  // A value for what could not be made; the reason is noted already.
  Value* poison() {
    if (poison_ == nullptr) {
      poison_ = build_.model().new_value("");
      poison_->poison = true;
    }
    return poison_;
  }

  const Net& net_;
  const Weights* weights_;
  const tensor::Options& options_;
  graph::Builder build_;
  Value* poison_ = nullptr;
  std::map<std::string, Value*, std::less<>> blobs_;
  std::set<std::string, std::less<>> consumed_;
  std::map<std::string, size_t, std::less<>> made_;  // when each blob was made last
  size_t made_count_ = 0;
  int64_t numbers_made_ = 0;
};

void note_dropped(const Net& net, std::vector<std::string>& notes) {
  std::vector<std::string> dropped;
  for (const Layer& layer : net.layers) {
    if (needs_labels(layer.type)) dropped.push_back(layer.name);
  }
  if (!dropped.empty()) {
    notes.push_back(
        base::str_cat("layers that need labels are left out: ", base::str_join(dropped, ", ")));
  }
}

}  // namespace

base::Result<Converted> convert(const Net& net, const Weights* weights,
                                const tensor::Options& options, bool symbolic_batch) {
  Converted out;
  out.model.producer_name = "Caffe";
  out.model.graph.name = net.name.empty() ? "net" : net.name;
  SN_TRY(Converter(net, weights, options, out.model).run(symbolic_batch));
  out.notes = net.notes;
  note_dropped(net, out.notes);
  return out;
}

}  // namespace supernova::import::caffe
