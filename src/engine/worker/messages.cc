#include "engine/worker/messages.h"

#include <algorithm>
#include <cstring>

#include "engine/handles.h"

namespace supernova::engine::worker {

void write_error(Writer& out, int32_t code, std::string_view message) {
  out.number(static_cast<uint64_t>(code));
  out.text(message);
}

OptionPairs read_options(const sn_options* options) {
  OptionPairs pairs;
  for (size_t i = 0; options != nullptr && i < options->count; ++i) {
    const sn_option& option = options->items[i];
    if (option.key == nullptr) continue;
    pairs.emplace_back(option.key, option.value != nullptr ? option.value : "");
  }
  return pairs;
}

void write(Writer& out, const OptionPairs& options) {
  out.number(options.size());
  for (const auto& [key, value] : options) {
    out.text(key);
    out.text(value);
  }
}

OptionPairs read_options(Reader& in) {
  OptionPairs options(in.count(16));
  for (auto& [key, value] : options) {
    key = in.text();
    value = in.text();
  }
  return options;
}

AbiOptions::AbiOptions(const OptionPairs& options) {
  for (const auto& [key, value] : options) items_.push_back({key.c_str(), value.c_str()});
  list_.size = sizeof(list_);
  list_.items = items_.data();
  list_.count = items_.size();
}

void write(Writer& out, const StartOrder& order) {
  out.number(kProtocol);
  out.text(order.engine);
  out.text(order.library);
  write(out, order.options);
  out.number(static_cast<uint64_t>(order.thread_budget));
  out.number(static_cast<uint64_t>(order.log_level));
  out.number(order.memory_byte_size);
}

StartOrder read_start(Reader& in) {
  StartOrder order;
  if (in.number() != kProtocol) in.fail();
  order.engine = in.text();
  order.library = in.text();
  order.options = read_options(in);
  order.thread_budget = in.small_number();
  order.log_level = in.small_number();
  order.memory_byte_size = in.number();
  return order;
}

Device::Device(const sn_device& given) {
  const sn_device device = read_struct(&given);
  kind = device.kind;
  ordinal = device.ordinal;
  has_id = device.id != nullptr;
  if (has_id) id = device.id;
  vendor_id = device.vendor_id;
  product_id = device.product_id;
}

sn_device Device::abi() const {
  return {sizeof(sn_device), kind, ordinal, has_id ? id.c_str() : nullptr, vendor_id, product_id};
}

void write(Writer& out, const Device& device) {
  out.number(static_cast<uint64_t>(device.kind));
  out.number(static_cast<uint64_t>(device.ordinal));
  out.text_or_null(device.has_id ? device.id.c_str() : nullptr);
  out.number(device.vendor_id);
  out.number(device.product_id);
}

Device read_device(Reader& in) {
  Device device;
  device.kind = in.small_number();
  device.ordinal = in.small_number();
  const char* const id = in.text_or_null();
  device.has_id = id != nullptr;
  if (device.has_id) device.id = id;
  device.vendor_id = static_cast<uint32_t>(in.number());
  device.product_id = static_cast<uint32_t>(in.number());
  return device;
}

ArtefactHead head_of(const sn_artefact& given) {
  const sn_artefact artefact = read_struct(&given);
  ArtefactHead head;
  if (artefact.format != nullptr) head.format = artefact.format;
  if (artefact.path != nullptr) head.path = artefact.path;
  if (artefact.digest != nullptr) head.digest = artefact.digest;
  head.has_data = artefact.data != nullptr;
  head.data_size = head.has_data ? artefact.data_size : 0;
  return head;
}

void write(Writer& out, const ArtefactHead& artefact) {
  out.text(artefact.format);
  out.text(artefact.path);
  out.text(artefact.digest);
  out.number(artefact.has_data ? 1 : 0);
  out.number(artefact.data_size);
}

ArtefactHead read_artefact(Reader& in) {
  ArtefactHead artefact;
  artefact.format = in.text();
  artefact.path = in.text();
  artefact.digest = in.text();
  artefact.has_data = in.number() != 0;
  artefact.data_size = in.number();
  return artefact;
}

void write(Writer& out, const sn_engine_info& given) {
  const sn_engine_info info = read_struct(&given);
  out.text_or_null(info.name);
  out.text_or_null(info.version);
  out.number(info.format_count);
  for (size_t i = 0; i < info.format_count; ++i) out.text_or_null(info.formats[i]);
  out.number(static_cast<uint64_t>(info.max_concurrency));
  out.number(static_cast<uint64_t>(info.can_cancel));
}

EngineInfo::EngineInfo(std::string body) : body_(std::move(body)) {
  Reader in(body_);
  info_.size = sizeof(info_);
  info_.name = in.text_or_null();
  info_.version = in.text_or_null();
  formats_.resize(in.count());
  for (const char*& format : formats_) format = in.text_or_null();
  info_.formats = formats_.data();
  info_.format_count = formats_.size();
  info_.max_concurrency = in.small_number();
  info_.can_cancel = in.small_number();
  ok_ = in.complete();
}

void write(Writer& out, const sn_verdict& given) {
  const sn_verdict verdict = read_struct(&given);
  out.number(static_cast<uint64_t>(verdict.compatibility));
  out.number(static_cast<uint64_t>(verdict.score));
  out.text_or_null(verdict.reason);
  out.number(verdict.expected_latency_ns);
  out.number(verdict.host_memory_bytes);
  out.number(verdict.device_memory_bytes);
  out.number(verdict.placement_count);
  for (size_t i = 0; i < verdict.placement_count; ++i) {
    const sn_node_placement node = read_struct(element(verdict.placement, i));
    out.text_or_null(node.node);
    out.text_or_null(node.op);
    out.text_or_null(node.where);
    out.text_or_null(node.reason);
  }
}

Verdict::Verdict(std::string body) : body_(std::move(body)) {
  Reader in(body_);
  verdict_.compatibility = std::clamp<int32_t>(in.small_number(), SN_CAN_NOT_RUN, SN_CAN_RUN);
  verdict_.score = in.small_number();
  verdict_.reason = in.text_or_null();
  verdict_.expected_latency_ns = in.number();
  verdict_.host_memory_bytes = in.number();
  verdict_.device_memory_bytes = in.number();
  placement_.resize(in.count(32));
  for (sn_node_placement& node : placement_) {
    node.size = sizeof(node);
    node.node = in.text_or_null();
    node.op = in.text_or_null();
    node.where = in.text_or_null();
    node.reason = in.text_or_null();
  }
  verdict_.placement = placement_.data();
  verdict_.placement_count = placement_.size();
  ok_ = in.complete();
}

void Verdict::copy_to(sn_verdict& verdict) const {
  const size_t size = verdict.size;
  std::memcpy(&verdict, &verdict_, std::min(size, sizeof(verdict_)));
  verdict.size = size;
}

std::optional<std::string> Verdict::why_not() const {
  if (verdict_.compatibility != SN_CAN_NOT_RUN) return std::nullopt;
  return verdict_.reason != nullptr ? verdict_.reason : "the engine does not say why it can't run";
}

namespace {

// Beyond every engine's tensors.
constexpr int32_t kMaxRank = 1024;

void write(Writer& out, const sn_tensor_info* tensors, size_t count) {
  out.number(count);
  for (size_t i = 0; i < count; ++i) {
    const sn_tensor_info info = read_struct(element(tensors, i));
    const auto rank = static_cast<size_t>(std::max(info.rank, 0));
    out.text_or_null(info.name);
    out.number(static_cast<uint64_t>(info.dtype));
    out.number(static_cast<uint64_t>(info.rank));
    out.numbers({info.dims, rank});
    out.number(info.dim_names != nullptr ? 1 : 0);
    for (size_t d = 0; info.dim_names != nullptr && d < rank; ++d) {
      out.text_or_null(info.dim_names[d]);
    }
    out.number(static_cast<uint64_t>(info.optional));
    out.number(static_cast<uint64_t>(info.is_state));
  }
}

}  // namespace

void write(Writer& out, const sn_model_info& given) {
  const sn_model_info info = read_struct(&given);
  out.number(info.signature_count);
  for (size_t i = 0; i < info.signature_count; ++i) {
    const sn_signature signature = read_struct(element(info.signatures, i));
    out.text_or_null(signature.name);
    write(out, signature.inputs, signature.input_count);
    write(out, signature.outputs, signature.output_count);
  }
}

ModelInfo::ModelInfo(std::string body) : body_(std::move(body)) {
  Reader in(body_);
  signatures_.resize(in.count(24));
  for (sn_signature& signature : signatures_) signature = read_signature(in);
  info_.size = sizeof(info_);
  info_.signatures = signatures_.data();
  info_.signature_count = signatures_.size();
  ok_ = in.complete();
}

sn_signature ModelInfo::read_signature(Reader& in) {
  sn_signature signature{};
  signature.size = sizeof(signature);
  signature.name = in.text_or_null();
  std::tie(signature.inputs, signature.input_count) = read_tensors(in);
  std::tie(signature.outputs, signature.output_count) = read_tensors(in);
  return signature;
}

std::pair<const sn_tensor_info*, size_t> ModelInfo::read_tensors(Reader& in) {
  auto& tensors = tensors_.emplace_back(in.count(56));
  for (sn_tensor_info& info : tensors) {
    info.size = sizeof(info);
    info.name = in.text_or_null();
    info.dtype = in.small_number();
    info.rank = in.small_number();
    const auto dims = in.numbers();
    info.dims = dims.data();
    if (info.rank > kMaxRank || dims.size() != static_cast<size_t>(std::max(info.rank, 0))) {
      in.fail();
      info.rank = 0;
    }
    if (in.number() != 0) {
      auto& names = dim_names_.emplace_back(std::max(info.rank, 0));
      for (const char*& name : names) name = in.text_or_null();
      info.dim_names = names.data();
    }
    info.optional = in.small_number();
    info.is_state = in.small_number();
  }
  return {tensors.data(), tensors.size()};
}

}  // namespace supernova::engine::worker
