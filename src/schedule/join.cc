#include "schedule/join.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

namespace supernova::schedule {
namespace {

using tensor::Buffer;
using tensor::Tensor;

bool same_parameters(const tensor::Parameters& a, const tensor::Parameters& b) {
  if (a.empty() && b.empty()) return true;
  auto at_a = a.begin();
  auto at_b = b.begin();
  while (true) {
    while (at_a != a.end() && is_queue_parameter(at_a->first)) ++at_a;
    while (at_b != b.end() && is_queue_parameter(at_b->first)) ++at_b;
    if (at_a == a.end() || at_b == b.end()) return at_a == a.end() && at_b == b.end();
    if (*at_a != *at_b) return false;
    ++at_a;
    ++at_b;
  }
}

// Where each of the parts of a BYTES tensor ends.
base::Result<std::vector<size_t>> ends_of_bytes(const Tensor& tensor, std::span<const size_t> rows,
                                                size_t per_row) {
  std::vector<size_t> ends;
  const std::string_view packed = tensor.buffer.view();
  size_t at = 0;
  for (const size_t count : rows) {
    for (size_t i = 0; i < count * per_row; ++i) {
      uint32_t length = 0;
      const size_t left = packed.size() - at;
      if (left >= sizeof(length)) std::memcpy(&length, packed.data() + at, sizeof(length));
      if (left < sizeof(length) || left - sizeof(length) < length) {
        return absl::InternalError(
            base::str_cat("output '", tensor.name, "' ends within an element"));
      }
      at += sizeof(length) + length;
    }
    ends.push_back(at);
  }
  return ends;
}

base::Result<Tensor> join_input(std::span<const tensor::Request* const> requests, size_t index,
                                JoinMemory& memory) {
  Tensor joined = requests[0]->inputs[index];
  size_t bytes = 0;
  joined.shape[0] = 0;
  for (const tensor::Request* request : requests) {
    bytes += request->inputs[index].buffer.size();
    joined.shape[0] += request->inputs[index].shape[0];
  }
  joined.buffer = memory.get(bytes);
  if (joined.buffer.data() == nullptr) {
    return absl::ResourceExhaustedError(
        base::str_cat("no memory for a batch of ", bytes, " bytes"));
  }
  std::byte* at = joined.buffer.data();
  for (const tensor::Request* request : requests) {
    const auto part = request->inputs[index].buffer.bytes();
    if (part.empty()) continue;
    std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  return joined;
}

}  // namespace

bool is_queue_parameter(std::string_view name) { return name == "priority" || name == "timeout"; }

size_t rows_of(const tensor::Request& request) {
  int64_t rows = 0;
  for (const Tensor& input : request.inputs) {
    if (input.shape.empty() || input.shape[0] <= 0) return 0;
    if (rows != 0 && input.shape[0] != rows) return 0;
    rows = input.shape[0];
  }
  return static_cast<size_t>(rows);
}

bool joinable(const tensor::Request& a, const tensor::Request& b) {
  const auto same_input = [](const Tensor& x, const Tensor& y) {
    return x.data_type == y.data_type && x.name == y.name && x.shape.size() == y.shape.size() &&
           std::equal(x.shape.begin() + 1, x.shape.end(), y.shape.begin() + 1);
  };
  const auto same_output = [](const tensor::RequestedOutput& x, const tensor::RequestedOutput& y) {
    return x.name == y.name;
  };
  return a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size() &&
         std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin(), same_input) &&
         std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), same_output) &&
         same_parameters(a.parameters, b.parameters);
}

struct JoinMemory::Shelf {
  // More at once are rarely in use, and what is larger is not worth keeping.
  static constexpr size_t kBlocks = 4;
  static constexpr size_t kMostBytes = size_t{16} << 20;

  std::mutex mutex;
  std::array<Buffer, kBlocks> blocks;

  void put(Buffer block) {
    std::lock_guard lock(mutex);
    auto* smallest = &blocks[0];
    for (Buffer& kept : blocks) {
      if (kept.size() < smallest->size()) smallest = &kept;
    }
    if (smallest->size() < block.size()) std::swap(*smallest, block);
  }
};

JoinMemory::JoinMemory() : shelf_(std::make_shared<Shelf>()) {}

Buffer JoinMemory::get(size_t size) {
  Buffer block;
  if (size <= Shelf::kMostBytes) {
    std::lock_guard lock(shelf_->mutex);
    for (Buffer& kept : shelf_->blocks) {
      if (kept.size() < size || kept.size() == 0) continue;
      block = std::move(kept);
      kept = Buffer();
      break;
    }
  }
  if (block.data() == nullptr) block = Buffer::allocate(size);
  if (block.data() == nullptr || block.size() > Shelf::kMostBytes) return block;
  std::byte* data = block.data();
  return Buffer::adopt(data, size, [shelf = shelf_, block = std::move(block)]() mutable {
    shelf->put(std::move(block));
  });
}

void JoinMemory::trim() {
  std::array<Buffer, Shelf::kBlocks> freed;
  std::lock_guard lock(shelf_->mutex);
  std::swap(freed, shelf_->blocks);
}

base::Result<tensor::Request> join(std::span<const tensor::Request* const> requests,
                                   JoinMemory& memory) {
  const tensor::Request& first = *requests[0];
  tensor::Request joined;
  joined.model_name = first.model_name;
  joined.model_version = first.model_version;
  for (const auto& [name, value] : first.parameters) {
    if (!is_queue_parameter(name)) joined.parameters.emplace(name, value);
  }
  for (const tensor::RequestedOutput& output : first.outputs) {
    joined.outputs.emplace_back(output.name);
  }
  joined.inputs.reserve(first.inputs.size());
  for (size_t i = 0; i < first.inputs.size(); ++i) {
    SN_ASSIGN(Tensor input, join_input(requests, i, memory));
    joined.inputs.push_back(std::move(input));
  }
  return joined;
}

base::Result<std::vector<std::vector<Tensor>>> split(const tensor::Response& response,
                                                     std::span<const size_t> rows) {
  size_t total = 0;
  for (const size_t count : rows) total += count;
  std::vector<std::vector<Tensor>> parts(rows.size());
  for (const Tensor& output : response.outputs) {
    if (output.shape.empty() || output.shape[0] != static_cast<int64_t>(total)) {
      return absl::InternalError(base::str_cat("output '", output.name, "' of a batch of ", total,
                                               " has shape ",
                                               tensor::shape_to_string(output.shape)));
    }
    SN_ASSIGN(const int64_t elements, tensor::element_count(output.shape));
    const size_t per_row = static_cast<size_t>(elements) / total;
    const size_t element = tensor::element_size(output.data_type);
    std::vector<size_t> ends;
    if (element == 0) {
      SN_ASSIGN(ends, ends_of_bytes(output, rows, per_row));
    }
    size_t begin = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t end = element == 0 ? ends[i] : begin + rows[i] * per_row * element;
      if (end > output.buffer.size()) {
        return absl::InternalError(base::str_cat("output '", output.name, "' is too short"));
      }
      Tensor& part = parts[i].emplace_back();
      part.name = output.name;
      part.data_type = output.data_type;
      part.shape = output.shape;
      part.shape[0] = static_cast<int64_t>(rows[i]);
      part.buffer = output.buffer.slice(begin, end - begin);
      begin = end;
    }
  }
  return parts;
}

}  // namespace supernova::schedule
