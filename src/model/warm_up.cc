#include "model/warm_up.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <optional>

#include "base/long_wait.h"

namespace supernova::model {
namespace {

using tensor::DataType;
using tensor::TensorInfo;

constexpr uint64_t kMaxBytes = 256 << 20;

std::optional<tensor::Tensor> zeros(const TensorInfo& info) {
  if (!info.rank_known || info.data_type == DataType::kInvalid) return std::nullopt;
  tensor::Tensor tensor{info.name, info.data_type, info.shape, {}};
  for (int64_t& size : tensor.shape) size = size < 0 ? 1 : size;
  // Text: as many empty strings, a length of four bytes each.
  const bool text = info.data_type == DataType::kBytes;
  const auto bytes = tensor::byte_size(text ? DataType::kUint32 : info.data_type, tensor.shape);
  if (!bytes.ok() || static_cast<uint64_t>(*bytes) > kMaxBytes) return std::nullopt;
  tensor.buffer = tensor::Buffer::allocate(static_cast<size_t>(*bytes));
  if (tensor.buffer.data() == nullptr && *bytes != 0) return std::nullopt;
  if (*bytes != 0) std::memset(tensor.buffer.data(), 0, tensor.buffer.size());
  return tensor;
}

}  // namespace

base::Status run_once(engine::Session& session, tensor::Request request,
                      std::chrono::milliseconds most) {
  request.deadline = std::chrono::steady_clock::now() + most;
  // The run may answer on a thread of the engine after this function has seen the answer.
  auto answer = std::make_shared<std::promise<base::Status>>();
  auto status = answer->get_future();
  session.run(request, [answer](base::Result<tensor::Response> result) {
    answer->set_value(result.status());
  });
  const base::LongWait waits;
  const base::Status ended = status.get();
  if (!absl::IsDeadlineExceeded(ended)) return base::annotate(ended, "warm-up run");
  return absl::DeadlineExceededError(
      base::str_cat("warm-up run: it was not over after ", static_cast<double>(most.count()) / 1000,
                    " s, which a load may take (--worker-load-timeout-ms)"));
}

base::Status warm_up(engine::Session& session, std::chrono::milliseconds most) {
  const engine::Signature& signature = session.signature();
  tensor::Request request;
  for (const TensorInfo& info : signature.inputs) {
    if (info.optional) continue;
    auto tensor = zeros(info);
    if (!tensor) return {};
    request.inputs.push_back(*std::move(tensor));
  }
  for (const TensorInfo& info : signature.outputs) request.outputs.emplace_back(info.name);
  return run_once(session, std::move(request), most);
}

bool warm_up_proves(const engine::Signature& signature) {
  return std::all_of(signature.inputs.begin(), signature.inputs.end(), [](const TensorInfo& info) {
    const bool fixed = info.rank_known && std::all_of(info.shape.begin(), info.shape.end(),
                                                      [](int64_t size) { return size >= 0; });
    const DataType type = info.data_type;
    const bool number = type == DataType::kFp16 || type == DataType::kBf16 ||
                        type == DataType::kFp32 || type == DataType::kFp64;
    return fixed && number;
  });
}

}  // namespace supernova::model
