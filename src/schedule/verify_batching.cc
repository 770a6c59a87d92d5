#include "schedule/verify_batching.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <future>
#include <optional>

#include "base/long_wait.h"
#include "schedule/join.h"
#include "schedule/made_up.h"

namespace supernova::schedule {
namespace {

using tensor::DataType;
using tensor::Tensor;
using tensor::TensorInfo;
using Outcome = BatchProof::Outcome;

constexpr size_t kItems = 3;
constexpr size_t kMostBytes = size_t{64} << 20;  // of one item
// Engines choose other kernels for other sizes, which round differently.
constexpr double kRelative = 1e-2;
constexpr double kAbsolute = 1e-3;

// Why tensors like this one can't be joined or taken apart; "" = they can.
std::string obstacle(const TensorInfo& info, std::string_view what) {
  const std::string name = base::str_cat(what, " '", info.name, "' ");
  if (!info.model_type.empty()) {
    return base::str_cat(name, "stands for a ", info.model_type, ", which has no batch dimension");
  }
  if (info.is_state) return base::str_cat(name, "is a state");
  if (!info.rank_known) return "";
  if (info.shape.empty() || info.shape[0] >= 0) {
    return base::str_cat(name, "has shape ", tensor::shape_to_string(info.shape),
                         ", whose first dimension can't vary");
  }
  return "";
}

std::optional<tensor::Request> make_item(const std::vector<TensorInfo>& inputs,
                                         const std::vector<TensorInfo>& outputs, uint32_t seed) {
  tensor::Request request;
  MadeUpNumbers numbers(seed);
  size_t bytes = 0;
  for (const TensorInfo& info : inputs) {
    if (info.optional) continue;
    if (!info.rank_known || info.data_type == DataType::kInvalid) return std::nullopt;
    Tensor tensor{info.name, info.data_type, info.shape, {}};
    for (int64_t& size : tensor.shape) size = size < 0 ? 1 : size;
    const auto elements = tensor::element_count(tensor.shape);
    if (!elements.ok()) return std::nullopt;
    const size_t width = std::max<size_t>(tensor::element_size(info.data_type), 8);
    if (static_cast<size_t>(*elements) > (kMostBytes - bytes) / width) return std::nullopt;
    bytes += static_cast<size_t>(*elements) * width;
    if (!make_up_content(tensor, static_cast<size_t>(*elements), numbers)) return std::nullopt;
    request.inputs.push_back(std::move(tensor));
  }
  for (const TensorInfo& info : outputs) request.outputs.emplace_back(info.name);
  if (request.inputs.empty()) return std::nullopt;
  return request;
}

base::Result<tensor::Response> run(engine::Session& session, const tensor::Request& request) {
  // The engine may be within its callback after this function has seen the answer.
  auto answer = std::make_shared<std::promise<base::Result<tensor::Response>>>();
  auto result = answer->get_future();
  session.run(request, [answer](base::Result<tensor::Response> response) {
    answer->set_value(std::move(response));
  });
  const base::LongWait waits;
  return result.get();
}

template <typename T>
bool close(const Tensor& a, const Tensor& b) {
  for (size_t at = 0; at + sizeof(T) <= a.buffer.size(); at += sizeof(T)) {
    T x;
    T y;
    std::memcpy(&x, a.buffer.data() + at, sizeof(T));
    std::memcpy(&y, b.buffer.data() + at, sizeof(T));
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double most =
        std::max(std::abs(static_cast<double>(x)), std::abs(static_cast<double>(y)));
    if (!(std::abs(static_cast<double>(x) - static_cast<double>(y)) <=
          kAbsolute + kRelative * most)) {
      return false;
    }
  }
  return true;
}

// IEEE half precision, and bfloat16, as float.
float wide(uint16_t bits, DataType type) {
  uint32_t single = 0;
  if (type == DataType::kBf16) {
    single = static_cast<uint32_t>(bits) << 16;
  } else {
    const int exponent = (bits >> 10) & 31;
    const int fraction = bits & 1023;
    const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
    if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                 : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25));
  }
  float value = 0;
  std::memcpy(&value, &single, sizeof(value));
  return value;
}

bool agree(const Tensor& a, const Tensor& b) {
  if (a.shape != b.shape || a.buffer.size() != b.buffer.size()) return false;
  switch (a.data_type) {
    case DataType::kFp32:
      return close<float>(a, b);
    case DataType::kFp64:
      return close<double>(a, b);
    case DataType::kFp16:
    case DataType::kBf16:
      for (size_t at = 0; at + 2 <= a.buffer.size(); at += 2) {
        uint16_t x = 0;
        uint16_t y = 0;
        std::memcpy(&x, a.buffer.data() + at, 2);
        std::memcpy(&y, b.buffer.data() + at, 2);
        const float u = wide(x, a.data_type);
        const float v = wide(y, a.data_type);
        if (x == y || (std::isnan(u) && std::isnan(v))) continue;
        if (!(std::abs(u - v) <= 0.01f + 0.05f * std::max(std::abs(u), std::abs(v)))) return false;
      }
      return true;
    default:
      return a.buffer.view() == b.buffer.view();
  }
}

BatchProof differs(std::string reason) { return {Outcome::kDiffers, std::move(reason)}; }
BatchProof unknown(std::string reason) { return {Outcome::kUnknown, std::move(reason)}; }

BatchProof compare(const std::vector<tensor::Response>& alone, const tensor::Response& joined) {
  const std::vector<size_t> rows(alone.size(), 1);
  const auto parts = split(joined, rows);
  if (!parts.ok()) return differs(std::string(base::message(parts.status())));
  for (size_t item = 0; item < alone.size(); ++item) {
    for (size_t i = 0; i < alone[item].outputs.size(); ++i) {
      const Tensor& single = alone[item].outputs[i];
      if (!agree(single, (*parts)[item][i])) {
        return differs(base::str_cat("output '", single.name, "' of an item differs between a run ",
                                     "alone and in a batch of ", alone.size()));
      }
    }
  }
  return {Outcome::kSame, ""};
}

}  // namespace

BatchProof verify_batching(engine::Session& session, const std::vector<TensorInfo>& inputs,
                           const std::vector<TensorInfo>& outputs, size_t max_batch_size) {
  for (const TensorInfo& info : inputs) {
    if (std::string why = obstacle(info, "input"); !why.empty()) return differs(std::move(why));
  }
  for (const TensorInfo& info : outputs) {
    if (std::string why = obstacle(info, "output"); !why.empty()) return differs(std::move(why));
  }
  if (max_batch_size < 2) return unknown("a batch holds one item");
  std::vector<tensor::Request> items;
  std::vector<tensor::Response> alone;
  for (uint32_t i = 0; i < std::min(kItems, max_batch_size); ++i) {
    auto item = make_item(inputs, outputs, i + 1);
    if (!item) return unknown("its inputs can't be made up");
    auto answer = run(session, *item);
    if (!answer.ok()) {
      return unknown(
          base::str_cat("it does not run on made-up values: ", base::message(answer.status())));
    }
    items.push_back(*std::move(item));
    alone.push_back(*std::move(answer));
  }
  std::vector<const tensor::Request*> requests;
  for (const tensor::Request& item : items) requests.push_back(&item);
  JoinMemory memory;
  const auto request = join(requests, memory);
  if (!request.ok()) return unknown(std::string(base::message(request.status())));
  const auto joined = run(session, *request);
  if (!joined.ok()) {
    return differs(
        base::str_cat("a batch fails where its items do not: ", base::message(joined.status())));
  }
  return compare(alone, *joined);
}

}  // namespace supernova::schedule
