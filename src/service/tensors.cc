#include "service/tensors.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "model/reshape.h"
#include "model_config.pb.h"
#include "service/classification.h"
#include "service/service.h"

namespace supernova::service {
namespace {

using model::ModelConfig;
using model::Reshape;
using tensor::RequestedOutput;
using tensor::Tensor;

template <typename Named>
const Named* find(const std::vector<Named>& items, std::string_view name) {
  const auto at = std::find_if(items.begin(), items.end(),
                               [&](const Named& item) { return item.name == name; });
  return at == items.end() ? nullptr : &*at;
}

base::Status check_room(std::string_view output, uint64_t needed, const tensor::Buffer& room) {
  if (needed <= room.size()) return {};
  return absl::InvalidArgumentError(base::str_cat("output '", output, "' has ", needed,
                                                  " bytes, but the shared memory for it has ",
                                                  room.size()));
}

base::Status place(Tensor& output, const tensor::Buffer& destination,
                   const SharedMemory* shared_memory) {
  SN_TRY(check_room(output.name, output.buffer.size(), destination));
  tensor::Buffer placed = destination.slice(0, output.buffer.size());
  if (shared_memory != nullptr && shared_memory->holds(placed)) {
    SN_TRY(shared_memory->write(placed, output.buffer.bytes()));
  } else if (placed.size() > 0) {
    std::memcpy(placed.data(), output.buffer.data(), placed.size());
  }
  output.buffer = std::move(placed);
  return {};
}

}  // namespace

base::Status fetch_inputs(tensor::Request& request, const SharedMemory* shared_memory) {
  if (shared_memory == nullptr) return {};
  for (Tensor& input : request.inputs) {
    if (!shared_memory->holds(input.buffer)) continue;
    if (input.data_type != tensor::DataType::kBytes) {
      SN_TRY(check_byte_size(input, input.buffer.size(), request.model_name));
    }
    auto copy = shared_memory->read(input.buffer);
    if (!copy.ok()) {
      return base::annotate(copy.status(), base::str_cat("input '", input.name, "'"));
    }
    input.buffer = *std::move(copy);
  }
  return {};
}

base::Result<uint32_t> shape_inputs(tensor::Request& request, const ModelConfig& config) {
  const int32_t max_batch_size = config.proto->max_batch_size();
  std::optional<int64_t> batch_size;
  for (Tensor& input : request.inputs) {
    if (max_batch_size > 0 && !input.shape.empty()) {
      if (input.shape[0] > max_batch_size) {
        return absl::InvalidArgumentError(
            base::str_cat("inference request batch-size must be <= ", max_batch_size, " for '",
                          request.model_name, "'"));
      }
      if (batch_size && *batch_size != input.shape[0]) {
        return absl::InvalidArgumentError(
            base::str_cat("input '", input.name, "' batch size does not match other inputs for '",
                          request.model_name, "'"));
      }
      batch_size = input.shape[0];
    }
    if (const Reshape* change = find(config.input_reshapes, input.name)) {
      SN_ASSIGN(input.shape, model::reshaped(input.shape, change->client, change->engine));
    }
  }
  return static_cast<uint32_t>(batch_size.value_or(1));
}

base::Status check_outputs(const std::vector<RequestedOutput>& wanted, const ModelConfig& config) {
  for (const RequestedOutput& output : wanted) {
    const tensor::TensorInfo* info = find(config.outputs, output.name);
    if (info == nullptr) continue;
    if (output.classification > 0) {
      SN_TRY(check_classification(output.name, info->data_type));
      if (output.destination.data() == nullptr) continue;
      return absl::InvalidArgumentError(
          base::str_cat("output '", output.name,
                        "' can't be both classified and written to shared memory; ask for one"));
    }
    const bool known = info->rank_known && std::all_of(info->shape.begin(), info->shape.end(),
                                                       [](int64_t size) { return size >= 0; });
    if (output.destination.data() == nullptr || !known ||
        tensor::element_size(info->data_type) == 0) {
      continue;
    }
    SN_ASSIGN(const size_t needed, tensor::byte_size(info->data_type, info->shape));
    SN_TRY(check_room(output.name, needed, output.destination));
  }
  return {};
}

base::Status finish_outputs(tensor::Response& response, const std::vector<RequestedOutput>& wanted,
                            const ModelConfig& config, const SharedMemory* shared_memory) {
  bool changed = false;
  if (wanted.empty() && config.output_reshapes.empty()) return {};
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    Tensor& output = response.outputs[i];
    if (const Reshape* change = find(config.output_reshapes, output.name)) {
      auto shape = model::reshaped(output.shape, change->engine, change->client);
      if (!shape.ok()) {
        return absl::InternalError(base::str_cat(
            "output '", output.name,
            "' can't be reshaped as its configuration says: ", shape.status().message()));
      }
      output.shape = *std::move(shape);
    }
    if (i >= wanted.size()) continue;
    if (wanted[i].classification > 0) {
      const auto labels = config.labels.find(output.name);
      SN_ASSIGN(output,
                classify(output, wanted[i].classification, config.proto->max_batch_size() > 0,
                         labels == config.labels.end() ? nullptr : &labels->second));
      changed = true;
    }
    if (wanted[i].destination.data() != nullptr) {
      SN_TRY(place(output, wanted[i].destination, shared_memory));
      changed = true;
    }
  }
  if (changed) response.timing.finished = std::chrono::steady_clock::now();
  return {};
}

}  // namespace supernova::service
