#include "model/config_resolve.h"

namespace supernova::model {
namespace {

using tensor::DataType;

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

template <typename Message>
void derive_tensor(const tensor::TensorInfo& info, Message& message) {
  message.set_name(info.name);
  message.set_data_type(config_type(info.data_type));
  message.mutable_dims()->Add(info.shape.begin(), info.shape.end());
}

}  // namespace

base::Result<ModelConfig> resolve_config(const inference::ModelConfig* given,
                                         const ModelFacts& facts, std::vector<std::string>&) {
  if (given != nullptr) return absl::UnimplementedError("config.pbtxt is not read yet");
  auto proto = std::make_shared<inference::ModelConfig>();
  proto->set_name(facts.name);
  proto->set_platform(base::str_cat(facts.engine, "_", facts.format));
  proto->set_backend(facts.engine);
  proto->set_default_model_filename(facts.file);
  proto->mutable_version_policy()->mutable_latest()->set_num_versions(1);
  for (const auto& info : facts.inputs) {
    derive_tensor(info, *proto->add_input());
    proto->mutable_input()->rbegin()->set_optional(info.optional);
  }
  for (const auto& info : facts.outputs) derive_tensor(info, *proto->add_output());
  auto& group = *proto->add_instance_group();
  group.set_name(base::str_cat(facts.name, "_0"));
  group.set_count(1);
  group.set_kind(inference::ModelInstanceGroup::KIND_CPU);
  return ModelConfig{std::move(proto), facts.inputs, facts.outputs, {}};
}

}  // namespace supernova::model
