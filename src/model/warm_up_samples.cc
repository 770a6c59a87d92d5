#include "model/warm_up_samples.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "model/reshape.h"
#include "model/warm_up.h"
#include "model_config.pb.h"
#include "schedule/made_up.h"
#include "tensor/bytes.h"

namespace supernova::model {
namespace {

namespace fs = std::filesystem;
using inference::ModelWarmup;
using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;
using tensor::TensorInfo;

constexpr uint64_t kMaxBytes = uint64_t{1} << 30;  // of an input
constexpr uint32_t kMaxRuns = 100'000;

template <typename... Parts>
base::Status refused(const Parts&... parts) {
  return absl::InvalidArgumentError(base::str_cat(parts...));
}

// One item (without the batch) of an input, and how it comes to the engine.
class InputMaker {
 public:
  InputMaker(const ModelConfig& config, const std::string& folder, uint32_t batch_size)
      : config_(config),
        folder_(folder),
        batch_size_(config.proto->max_batch_size() > 0 ? std::optional(batch_size) : std::nullopt) {
  }

  base::Result<Tensor> make(const std::string& name, const ModelWarmup::Input& given) const;

 private:
  base::Result<Shape> item_shape(const TensorInfo& info, const ModelWarmup::Input& given) const;
  base::Status fill(Tensor& item, int64_t elements, const ModelWarmup::Input& given) const;
  base::Status read_file(Tensor& item, int64_t elements, const std::string& file) const;
  base::Status repeat(Tensor& tensor) const;

  const ModelConfig& config_;
  const std::string& folder_;
  const std::optional<uint32_t> batch_size_;  // where the model batches
};

base::Result<Shape> InputMaker::item_shape(const TensorInfo& info,
                                           const ModelWarmup::Input& given) const {
  const size_t batch = batch_size_ ? 1 : 0;
  const std::span<const int64_t> declared =
      info.rank_known ? std::span<const int64_t>(info.shape).subspan(batch)
                      : std::span<const int64_t>();
  Shape shape(given.dims().begin(), given.dims().end());
  if (shape.empty()) shape.assign(declared.begin(), declared.end());
  const bool fits = info.rank_known ? tensor::shape_matches(declared, shape) : true;
  const bool whole =
      std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; });
  if (fits && whole) return shape;
  return refused("dims are ", tensor::shape_to_string(shape), ", but the model's are ",
                 tensor::shape_to_string(declared), batch_size_ ? " (without the batch)" : "",
                 "; write sizes that fit, -1 standing for any");
}

base::Status InputMaker::read_file(Tensor& item, int64_t elements, const std::string& file) const {
  const fs::path relative(file);
  const bool inside = !file.empty() && relative.is_relative() && file.find('\0') == file.npos &&
                      std::none_of(relative.begin(), relative.end(),
                                   [](const fs::path& part) { return part == ".."; });
  if (!inside || folder_.empty()) {
    return refused("input_data_file '", file, "' must be the name of a file in the folder '",
                   kWarmUpFolder, "' of the model's folder");
  }
  const fs::path path = fs::path(folder_) / kWarmUpFolder / relative;
  const std::string shown = base::str_cat("file '", kWarmUpFolder, "/", file, "' ");
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    return absl::NotFoundError(base::str_cat(shown, "is not there"));
  }
  const uintmax_t size = fs::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) return absl::PermissionDeniedError(base::str_cat(shown, "can't be read"));
  const bool text = item.data_type == DataType::kBytes;
  const size_t expected = text ? 0 : tensor::element_size(item.data_type) * elements;
  if (text ? size > kMaxBytes : size != expected) {
    return refused(shown, "holds ", size, " bytes, but ", tensor::data_type_name(item.data_type),
                   " ", tensor::shape_to_string(item.shape), " takes ",
                   text ? base::str_cat("at most ", kMaxBytes) : base::str_cat(expected));
  }
  item.buffer = tensor::Buffer::allocate(size);
  if (item.buffer.size() != size) return absl::ResourceExhaustedError("no memory for it");
  if (size > 0 && !stream.read(reinterpret_cast<char*>(item.buffer.data()),
                               static_cast<std::streamsize>(size))) {
    return absl::UnavailableError(base::str_cat(shown, "can't be read to its end"));
  }
  if (!text) return {};
  const auto packed = tensor::unpack_bytes(item.buffer.view(), elements);
  if (packed.ok()) return {};
  return refused(shown, "holds ", size, " bytes that are no BYTES ",
                 tensor::shape_to_string(item.shape), ": ", base::message(packed.status()));
}

base::Status InputMaker::fill(Tensor& item, int64_t elements,
                              const ModelWarmup::Input& given) const {
  const auto count = static_cast<size_t>(elements);
  // What a text takes while it is made.
  constexpr size_t kTextBytes = 64;
  const bool text = item.data_type == DataType::kBytes;
  const size_t width =
      text ? kTextBytes : std::max<size_t>(tensor::element_size(item.data_type), 1);
  if (count > kMaxBytes / width) {
    return refused("it has ", elements, " elements; an input may take ", kMaxBytes, " bytes");
  }
  switch (given.input_data_type_case()) {
    case ModelWarmup::Input::kZeroData:
      item.buffer = tensor::Buffer::allocate(
          count * (text ? sizeof(uint32_t) : tensor::element_size(item.data_type)));
      if (item.buffer.size() > 0) std::memset(item.buffer.data(), 0, item.buffer.size());
      break;
    case ModelWarmup::Input::kRandomData: {
      schedule::MadeUpNumbers numbers(1);
      if (!schedule::make_up_content(item, count, numbers)) item.buffer = {};
      break;
    }
    case ModelWarmup::Input::kInputDataFile:
      return read_file(item, elements, given.input_data_file());
    case ModelWarmup::Input::INPUT_DATA_TYPE_NOT_SET:
      return refused("it has no content; write zero_data, random_data or input_data_file");
  }
  if (count > 0 && item.buffer.size() == 0) return absl::ResourceExhaustedError("no memory for it");
  return {};
}

// The same item for each of the batch.
base::Status InputMaker::repeat(Tensor& tensor) const {
  if (!batch_size_) return {};
  tensor.shape.insert(tensor.shape.begin(), *batch_size_);
  if (*batch_size_ == 1 || tensor.buffer.size() == 0) return {};
  const size_t size = tensor.buffer.size();
  if (size > kMaxBytes / *batch_size_) {
    return refused("it has ", size, " bytes times batch_size ", *batch_size_,
                   "; an input may take ", kMaxBytes);
  }
  tensor::Buffer all = tensor::Buffer::allocate(size * *batch_size_);
  if (all.size() == 0) return absl::ResourceExhaustedError("no memory for it");
  for (size_t i = 0; i < *batch_size_; ++i) {
    std::memcpy(all.data() + i * size, tensor.buffer.data(), size);
  }
  tensor.buffer = std::move(all);
  return {};
}

base::Result<Tensor> InputMaker::make(const std::string& name,
                                      const ModelWarmup::Input& given) const {
  const auto info = std::find_if(config_.inputs.begin(), config_.inputs.end(),
                                 [&](const TensorInfo& input) { return input.name == name; });
  if (info == config_.inputs.end()) return refused("the model has no such input");
  // The values of the configuration's enumeration are the ones of tensors.
  const auto type = static_cast<DataType>(given.data_type());
  if (given.data_type() != inference::TYPE_INVALID && type != info->data_type) {
    return refused("data_type is ", inference::DataType_Name(given.data_type()),
                   ", but the model's is ", tensor::data_type_name(info->data_type));
  }
  Tensor tensor{name, info->data_type, {}, {}};
  SN_ASSIGN(tensor.shape, item_shape(*info, given));
  SN_ASSIGN(const int64_t elements, tensor::element_count(tensor.shape));
  SN_TRY(fill(tensor, elements, given));
  SN_TRY(repeat(tensor));
  for (const Reshape& change : config_.input_reshapes) {
    if (change.name != name) continue;
    SN_ASSIGN(tensor.shape, reshaped(tensor.shape, change.client, change.engine));
  }
  return tensor;
}

base::Result<uint32_t> batch_size_of(const ModelWarmup& given, int32_t max_batch_size) {
  const uint32_t size = std::max(given.batch_size(), 1U);
  if (size <= static_cast<uint32_t>(std::max(max_batch_size, 1))) return size;
  return refused("batch_size is ", size, "; write 1 to max_batch_size (", max_batch_size, ")");
}

base::Result<WarmUpSample> make_sample(const ModelWarmup& given, const ModelConfig& config,
                                       const engine::Signature& signature,
                                       const std::string& folder) {
  WarmUpSample sample;
  sample.times = std::max(given.count(), 1U);
  if (sample.times > kMaxRuns) {
    return refused("count is ", sample.times, "; at most ", kMaxRuns, " runs are made");
  }
  SN_ASSIGN(const uint32_t batch_size, batch_size_of(given, config.proto->max_batch_size()));
  const InputMaker maker(config, folder, batch_size);
  for (const auto& [name, input] : given.inputs()) {
    auto tensor = maker.make(name, input);
    if (!tensor.ok()) {
      return base::annotate(tensor.status(), base::str_cat("input '", name, "'"));
    }
    sample.request.inputs.push_back(*std::move(tensor));
  }
  for (const TensorInfo& input : config.inputs) {
    if (input.optional || given.inputs().contains(input.name)) continue;
    return refused("input '", input.name, "' is missing; write what the model is to be given");
  }
  // As they come in the model, whatever the order of the section's map.
  const auto rank = [&](const Tensor& tensor) {
    return std::find_if(config.inputs.begin(), config.inputs.end(),
                        [&](const TensorInfo& input) { return input.name == tensor.name; });
  };
  std::sort(sample.request.inputs.begin(), sample.request.inputs.end(),
            [&](const Tensor& a, const Tensor& b) { return rank(a) < rank(b); });
  for (const TensorInfo& info : signature.outputs) sample.request.outputs.emplace_back(info.name);
  return sample;
}

}  // namespace

base::Result<std::vector<WarmUpSample>> make_warm_up_samples(const ModelConfig& config,
                                                             const engine::Signature& signature,
                                                             const std::string& folder) {
  std::vector<WarmUpSample> samples;
  for (int i = 0; i < config.proto->model_warmup_size(); ++i) {
    const ModelWarmup& given = config.proto->model_warmup(i);
    const std::string what = given.name().empty()
                                 ? base::str_cat("model_warmup sample ", i + 1)
                                 : base::str_cat("model_warmup sample '", given.name(), "'");
    auto sample = make_sample(given, config, signature, folder);
    if (!sample.ok()) return base::annotate(sample.status(), what);
    sample->what = what;
    samples.push_back(*std::move(sample));
  }
  return samples;
}

base::Status run_samples(engine::Session& session, const std::vector<WarmUpSample>& samples,
                         std::chrono::milliseconds most) {
  for (const WarmUpSample& sample : samples) {
    for (uint32_t i = 0; i < sample.times; ++i) {
      const base::Status status = run_once(session, sample.request, most);
      if (!status.ok()) return base::annotate(status, sample.what);
    }
  }
  return {};
}

}  // namespace supernova::model
