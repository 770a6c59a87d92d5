#include "service/trace_record.h"

#include <array>
#include <cstring>

#include "base/json_writer.h"
#include "base/text.h"
#include "tensor/bytes.h"
#include "tensor/half.h"

namespace supernova::service {
namespace {

using tensor::DataType;
using tensor::Timing;

constexpr size_t kMaxText = 1 << 20;

uint64_t nanoseconds(Timing::Point point) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(point.time_since_epoch()).count());
}

// Appends the elements, read as T and shown as `show` makes them; false when there was too much.
template <typename T, typename Show>
bool append_elements(std::string& text, std::string_view bytes, Show show) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    if (text.size() > kMaxText) return false;
    T element;
    std::memcpy(&element, bytes.data() + at, sizeof(T));
    if (at > 0) text += ',';
    base::append_text(text, show(element));
  }
  return true;
}

template <typename T>
bool append_numbers(std::string& text, std::string_view bytes) {
  return append_elements<T>(text, bytes, [](T number) { return number; });
}

bool append_strings(std::string& text, const tensor::Tensor& tensor) {
  const auto count = tensor::element_count(tensor.shape);
  if (!count.ok()) return false;
  const auto elements = tensor::unpack_bytes(tensor.buffer.view(), *count);
  if (!elements.ok()) return false;
  for (size_t i = 0; i < elements->size(); ++i) {
    if (text.size() + (*elements)[i].size() > kMaxText) return false;
    if (i > 0) text += ',';
    text += (*elements)[i];
  }
  return true;
}

bool append_values(std::string& text, const tensor::Tensor& tensor) {
  const std::string_view bytes = tensor.buffer.view();
  switch (tensor.data_type) {
    case DataType::kBool:
      return append_elements<uint8_t>(text, bytes, [](uint8_t byte) { return byte != 0; });
    case DataType::kUint8:
      return append_numbers<uint8_t>(text, bytes);
    case DataType::kUint16:
      return append_numbers<uint16_t>(text, bytes);
    case DataType::kUint32:
      return append_numbers<uint32_t>(text, bytes);
    case DataType::kUint64:
      return append_numbers<uint64_t>(text, bytes);
    case DataType::kInt8:
      return append_numbers<int8_t>(text, bytes);
    case DataType::kInt16:
      return append_numbers<int16_t>(text, bytes);
    case DataType::kInt32:
      return append_numbers<int32_t>(text, bytes);
    case DataType::kInt64:
      return append_numbers<int64_t>(text, bytes);
    case DataType::kFp16:
      return append_elements<uint16_t>(text, bytes, tensor::half_to_float);
    case DataType::kBf16:
      return append_elements<uint16_t>(text, bytes, tensor::bfloat_to_float);
    case DataType::kFp32:
      return append_numbers<float>(text, bytes);
    case DataType::kFp64:
      return append_numbers<double>(text, bytes);
    case DataType::kBytes:
      return append_strings(text, tensor);
    case DataType::kInvalid:
      break;
  }
  return false;
}

void append_tensor(std::string& json, uint64_t id, std::string_view activity,
                   const tensor::Tensor& tensor) {
  std::string values;
  if (!append_values(values, tensor)) values += "...";
  json +=
      base::str_cat(",\n{\"id\":", id, ",\"activity\":\"", activity, "\",\"tensor\":{\"name\":");
  base::append_json_string(json, tensor.name);
  json += ",\"data\":";
  base::append_json_string(json, values);
  json += base::str_cat(",\"shape\":\"", base::str_join(tensor.shape, ","), "\",\"dtype\":\"",
                        tensor::data_type_name(tensor.data_type), "\"}}");
}

void append_timestamps(std::string& json, const TraceRecord& record) {
  const Timing& timing = record.timing;
  const std::array<std::pair<const char*, Timing::Point>, 7> points{{
      {"REQUEST_START", record.arrived},
      {"QUEUE_START", timing.queued},
      {"COMPUTE_START", timing.started},
      {"COMPUTE_INPUT_END", timing.compute_start},
      {"COMPUTE_OUTPUT_START", timing.compute_end},
      {"COMPUTE_END", timing.finished},
      {"REQUEST_END", record.answered},
  }};
  json += ",\"timestamps\":[";
  bool first = true;
  for (const auto& [name, point] : points) {
    if (point == Timing::Point()) continue;  // the request did not get there
    json += base::str_cat(first ? "" : ",", "{\"name\":\"", name, "\",\"ns\":", nanoseconds(point),
                          "}");
    first = false;
  }
  json += ']';
}

}  // namespace

uint64_t held_bytes(const TraceRecord& record) {
  uint64_t bytes = 0;
  for (const auto* tensors : {&record.inputs, &record.outputs}) {
    for (const tensor::Tensor& tensor : *tensors) bytes += tensor.buffer.size();
  }
  return bytes;
}

std::string trace_json(const TraceRecord& record) {
  // Triton's entries have a number here, -1 where none is known.
  int64_t version = -1;
  if (!base::parse_whole(record.version, version)) version = -1;
  std::string json = base::str_cat("{\"id\":", record.id, ",\"model_name\":");
  base::append_json_string(json, record.model);
  json += base::str_cat(",\"model_version\":", version);
  if (!record.request_id.empty()) {
    json += ",\"request_id\":";
    base::append_json_string(json, record.request_id);
  }
  if (!record.error.empty()) {
    json += ",\"error\":";
    base::append_json_string(json, record.error);
  }
  if ((record.choice.level & kTraceTimestamps) != 0) append_timestamps(json, record);
  json += '}';
  if ((record.choice.level & kTraceTensors) == 0) return json;
  for (const auto& input : record.inputs) {
    append_tensor(json, record.id, "TENSOR_QUEUE_INPUT", input);
  }
  for (const auto& output : record.outputs) {
    append_tensor(json, record.id, "TENSOR_BACKEND_OUTPUT", output);
  }
  return json;
}

std::vector<telemetry::Span> trace_spans(const TraceRecord& record,
                                         std::chrono::nanoseconds offset) {
  const auto step = [&](std::string name, Timing::Point from, Timing::Point to) {
    telemetry::Span span;
    span.name = std::move(name);
    span.context = telemetry::child_of(record.context);
    span.parent_id = record.context.span_id;
    span.start = std::chrono::system_clock::time_point(from.time_since_epoch() + offset);
    span.duration = to - from;
    return span;
  };
  std::vector<telemetry::Span> spans;
  spans.push_back(step("infer " + record.model, record.arrived, record.answered));
  telemetry::Span& request = spans.front();
  request.context = record.context;
  request.parent_id = record.parent_id;
  request.server = true;
  request.error = record.error;
  request.attributes.emplace_back("model.name", record.model);
  if (!record.version.empty()) request.attributes.emplace_back("model.version", record.version);
  if (!record.request_id.empty()) {
    request.attributes.emplace_back("request.id", record.request_id);
  }
  const Timing& timing = record.timing;
  if (timing.finished != Timing::Point()) {
    spans.push_back(step("queue", timing.queued, timing.started));
    spans.push_back(step("compute", timing.started, timing.finished));
    spans.back().attributes.emplace_back("batch.size", int64_t{timing.batch_size});
  }
  return spans;
}

std::chrono::nanoseconds wall_clock_offset() {
  return std::chrono::system_clock::now().time_since_epoch() -
         Timing::Point::clock::now().time_since_epoch();
}

}  // namespace supernova::service
