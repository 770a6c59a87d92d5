#include "model/config_tensors.h"

#include <algorithm>
#include <span>

#include "model/reshape.h"

namespace supernova::model {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::shape_to_string;
using tensor::TensorInfo;
using Dims = google::protobuf::RepeatedField<int64_t>;

inference::DataType config_type(DataType type) {
  switch (type) {
    case DataType::kBool:
      return inference::TYPE_BOOL;
    case DataType::kUint8:
      return inference::TYPE_UINT8;
    case DataType::kUint16:
      return inference::TYPE_UINT16;
    case DataType::kUint32:
      return inference::TYPE_UINT32;
    case DataType::kUint64:
      return inference::TYPE_UINT64;
    case DataType::kInt8:
      return inference::TYPE_INT8;
    case DataType::kInt16:
      return inference::TYPE_INT16;
    case DataType::kInt32:
      return inference::TYPE_INT32;
    case DataType::kInt64:
      return inference::TYPE_INT64;
    case DataType::kFp16:
      return inference::TYPE_FP16;
    case DataType::kFp32:
      return inference::TYPE_FP32;
    case DataType::kFp64:
      return inference::TYPE_FP64;
    case DataType::kBytes:
      return inference::TYPE_STRING;
    case DataType::kBf16:
      return inference::TYPE_BF16;
    case DataType::kInvalid:
      break;
  }
  return inference::TYPE_INVALID;
}

std::span<const int64_t> as_span(const Dims& dims) {
  return {dims.data(), static_cast<size_t>(dims.size())};
}

// One of the two sections. `Message` is ModelInput or ModelOutput.
template <typename Message>
class Section {
 public:
  using Messages = google::protobuf::RepeatedPtrField<Message>;

  Section(std::string_view kind, const std::vector<TensorInfo>& model, int max_batch_size,
          std::vector<std::string>& warnings)
      : kind_(kind), model_(model), max_batch_size_(max_batch_size), warnings_(warnings) {}

  base::Status resolve(Messages& messages, std::vector<TensorInfo>& infos,
                       std::vector<Reshape>& reshapes);

 private:
  struct Entry {
    size_t index = 0;  // in the model
    Message message;
  };

  template <typename... Parts>
  base::Status refused(std::string_view name, const Parts&... parts) const {
    return absl::InvalidArgumentError(base::str_cat(kind_, " '", name, "': ", parts...));
  }
  template <typename... Parts>
  void warn(std::string_view name, const Parts&... parts) const {
    warnings_.push_back(base::str_cat(kind_, " '", name, "': ", parts...));
  }

  base::Result<size_t> find(const std::string& name);
  base::Status check_batching(const TensorInfo& model) const;
  base::Status complete(const TensorInfo& model, Message& message) const;
  base::Status complete_type(const TensorInfo& model, Message& message) const;
  base::Status complete_dims(const TensorInfo& model, Message& message) const;
  base::Status complete_reshape(const TensorInfo& model, Message& message) const;
  base::Status check_flags(const TensorInfo& model, Message& message) const;
  std::span<const int64_t> model_dims(const TensorInfo& model) const;
  Shape whole(const Dims& dims) const;

  std::string_view kind_;  // "input", "output"
  const std::vector<TensorInfo>& model_;
  const int max_batch_size_;
  std::vector<std::string>& warnings_;
  bool positional_ = false;  // some names were of the form INPUT__0
};

// The model's tensor of that name, or the one that a positional name such as INPUT__0 means.
template <typename Message>
base::Result<size_t> Section<Message>::find(const std::string& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < model_.size(); ++i) {
    if (model_[i].name == name) return i;
    names.push_back(base::str_cat("'", model_[i].name, "'"));
  }
  const std::string_view prefix = kind_ == "input" ? "INPUT__" : "OUTPUT__";
  size_t index = 0;
  if (name.starts_with(prefix) &&
      base::parse_whole(std::string_view(name).substr(prefix.size()), index) &&
      index < model_.size()) {
    positional_ = true;
    warn(name, "the model calls it '", model_[index].name, "'; requests may use either name");
    return index;
  }
  return refused(name, "the model has no such ", kind_, "; it has: ", base::str_join(names, ", "));
}

template <typename Message>
base::Status Section<Message>::check_batching(const TensorInfo& model) const {
  if (max_batch_size_ == 0 || !model.rank_known) return {};
  if (!model.shape.empty() && model.shape[0] < 0) return {};
  return refused(model.name, "max_batch_size is ", max_batch_size_, ", but the model's ",
                 model.shape.empty() ? "tensor is a scalar"
                                     : base::str_cat("first dimension is fixed (",
                                                     shape_to_string(model.shape), ")"),
                 "; export the model with a first dimension that may vary, or write "
                 "max_batch_size: 0 and the whole shape in dims");
}

// The model's dimensions that `dims` speaks of: without the batch.
template <typename Message>
std::span<const int64_t> Section<Message>::model_dims(const TensorInfo& model) const {
  return std::span<const int64_t>(model.shape).subspan(max_batch_size_ > 0 ? 1 : 0);
}

template <typename Message>
Shape Section<Message>::whole(const Dims& dims) const {
  Shape shape;
  if (max_batch_size_ > 0) shape.push_back(-1);
  shape.insert(shape.end(), dims.begin(), dims.end());
  return shape;
}

template <typename Message>
base::Status Section<Message>::complete_type(const TensorInfo& model, Message& message) const {
  const inference::DataType type = config_type(model.data_type);
  if (message.data_type() == inference::TYPE_INVALID) message.set_data_type(type);
  if (message.data_type() == type) return {};
  return refused(model.name, "data_type is ", inference::DataType_Name(message.data_type()),
                 ", but the model's is ", inference::DataType_Name(type), "; write ",
                 inference::DataType_Name(type), " or leave data_type out");
}

template <typename Message>
base::Status Section<Message>::complete_dims(const TensorInfo& model, Message& message) const {
  if (message.has_reshape()) return complete_reshape(model, message);
  const bool given = !message.dims().empty();
  for (const int64_t size : message.dims()) {
    if (size >= 1 || size == -1 || (size == 0 && model.rank_known)) continue;
    return refused(model.name, "dims holds ", size,
                   "; a dimension is at least 1, or -1 for one that may vary");
  }
  if (!model.rank_known) return {};
  const std::span<const int64_t> own = model_dims(model);
  if (!given) {
    message.mutable_dims()->Add(own.begin(), own.end());
    return {};
  }
  const std::string written = shape_to_string(as_span(message.dims()));
  const auto contradiction = [&] {
    return refused(model.name, "dims are ", written, ", but the model's are ", shape_to_string(own),
                   max_batch_size_ > 0 ? " (without the batch, which max_batch_size adds)" : "",
                   "; write those or leave dims out");
  };
  if (static_cast<size_t>(message.dims_size()) != own.size()) return contradiction();
  bool narrowed = false;
  for (size_t i = 0; i < own.size(); ++i) {
    int64_t& size = *message.mutable_dims()->Mutable(static_cast<int>(i));
    if (own[i] < 0 && size != 0) continue;
    if (size >= 0 && size != own[i]) return contradiction();
    narrowed |= size != own[i];
    size = own[i];
  }
  if (narrowed) {
    warn(model.name, "dims are ", written, ", but the model takes no other than ",
         shape_to_string(own), ", which is what clients are told");
  }
  return {};
}

template <typename Message>
base::Status Section<Message>::complete_reshape(const TensorInfo& model, Message& message) const {
  if (message.dims().empty()) {
    return refused(model.name, "reshape needs dims, the shape that clients see");
  }
  for (const Dims* dims : {&message.dims(), &message.reshape().shape()}) {
    for (const int64_t size : *dims) {
      if (size >= 1 || size == -1) continue;
      return refused(model.name, "dims and reshape.shape hold ", size,
                     "; with a reshape a dimension is at least 1, or -1 for one that may vary");
    }
  }
  const std::span<const int64_t> engine = as_span(message.reshape().shape());
  if (model.rank_known && !tensor::shape_matches(model_dims(model), engine)) {
    return refused(model.name, "reshape.shape is ", shape_to_string(engine),
                   ", but the model's dimensions are ", shape_to_string(model_dims(model)),
                   "; write those");
  }
  return base::annotate(check_reshape(as_span(message.dims()), engine),
                        base::str_cat(kind_, " '", model.name, "': dims and reshape.shape"));
}

template <typename Message>
base::Status Section<Message>::check_flags(const TensorInfo& model, Message& message) const {
  if (message.is_shape_tensor()) {
    return refused(model.name, "is_shape_tensor is set, but the model's tensors hold data; ",
                   "leave it out");
  }
  if (message.is_non_linear_format_io()) {
    return refused(model.name, "is_non_linear_format_io is set, but the model's tensors are ",
                   "row-major; leave it out");
  }
  if constexpr (std::is_same_v<Message, inference::ModelInput>) {
    if (message.format() != inference::ModelInput::FORMAT_NONE && message.dims_size() != 3) {
      return refused(model.name, "format is ", inference::ModelInput::Format_Name(message.format()),
                     ", which needs 3 dims and not ", message.dims_size(), "; leave format out");
    }
    if (message.optional() && !model.optional) {
      return refused(model.name, "optional is set, but the model can't run without it; ",
                     "leave optional out");
    }
    message.set_optional(model.optional);
    if (message.allow_ragged_batch()) {
      warn(model.name, "allow_ragged_batch has no effect: requests run one by one for now");
    }
  }
  return {};
}

template <typename Message>
base::Status Section<Message>::complete(const TensorInfo& model, Message& message) const {
  message.set_name(model.name);
  SN_TRY(check_batching(model));
  SN_TRY(complete_type(model, message));
  SN_TRY(complete_dims(model, message));
  return check_flags(model, message);
}

template <typename Message>
base::Status Section<Message>::resolve(Messages& messages, std::vector<TensorInfo>& infos,
                                       std::vector<Reshape>& reshapes) {
  std::vector<Entry> entries;
  std::vector<bool> seen(model_.size(), false);
  for (Message& message : messages) {
    if (message.name().empty()) {
      return absl::InvalidArgumentError(base::str_cat("an ", kind_, " has no name"));
    }
    SN_ASSIGN(const size_t index, find(message.name()));
    if (seen[index]) return refused(message.name(), "is written twice; remove one");
    seen[index] = true;
    entries.push_back({index, std::move(message)});
  }
  for (size_t i = 0; i < model_.size(); ++i) {
    if (!seen[i]) entries.push_back({i, Message()});
  }
  if (positional_) {
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.index < b.index; });
  }
  messages.Clear();
  for (Entry& entry : entries) {
    const TensorInfo& model = model_[entry.index];
    SN_TRY(complete(model, entry.message));
    TensorInfo& info = infos.emplace_back(model);
    if (model.rank_known || !entry.message.dims().empty()) {
      info.rank_known = true;
      info.shape = whole(entry.message.dims());
      if (info.dim_names.size() != info.shape.size()) info.dim_names.clear();
    }
    if (entry.message.has_reshape()) {
      info.dim_names.clear();
      reshapes.push_back({model.name, info.shape, whole(entry.message.reshape().shape())});
    }
    messages.Add(std::move(entry.message));
  }
  return {};
}

}  // namespace

base::Status resolve_tensors(const std::vector<TensorInfo>& inputs,
                             const std::vector<TensorInfo>& outputs, inference::ModelConfig& proto,
                             ModelConfig& config, std::vector<std::string>& warnings) {
  const int max_batch_size = proto.max_batch_size();
  Section<inference::ModelInput> input("input", inputs, max_batch_size, warnings);
  SN_TRY(input.resolve(*proto.mutable_input(), config.inputs, config.input_reshapes));
  Section<inference::ModelOutput> output("output", outputs, max_batch_size, warnings);
  return output.resolve(*proto.mutable_output(), config.outputs, config.output_reshapes);
}

}  // namespace supernova::model
