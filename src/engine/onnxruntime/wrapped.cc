#include "engine/onnxruntime/wrapped.h"

#include <limits>
#include <memory>
#include <protozero/pbf_writer.hpp>
#include <span>

#include "engine/onnxruntime/strings.h"
#include "tensor/bytes.h"
#include "tensor/json_tensor.h"
#include "tensor/npy.h"
#include "tensor/shape.h"

namespace supernova::engine::onnxruntime {
namespace {

using tensor::DataType;
using tensor::Tensor;

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);

// A model of one node that gives an empty sequence: the runtime's API has no other way to make one.
// Numbers are the ONNX format's.
std::string empty_sequence_model(ONNXTensorElementDataType type) {
  using protozero::pbf_writer;
  std::string out;
  pbf_writer model(out);
  model.add_int64(1, 8);  // IR version
  {
    pbf_writer graph(model, 7);
    {
      pbf_writer node(graph, 1);
      node.add_string(2, "empty");
      node.add_string(4, "SequenceEmpty");
      pbf_writer attribute(node, 5);
      attribute.add_string(1, "dtype");
      attribute.add_int64(3, type);
      attribute.add_enum(20, 2);
    }
    graph.add_string(2, "empty");
    pbf_writer output(graph, 12);
    output.add_string(1, "empty");
    pbf_writer value_type(output, 2);
    pbf_writer sequence(value_type, 4);
    pbf_writer element(sequence, 1);
    pbf_writer tensor(element, 1);
    tensor.add_int32(1, type);
  }
  pbf_writer opset(model, 8);
  opset.add_int64(2, 11);
  return out;
}

base::Result<ValuePtr> make_empty_sequence(OrtSession* session) {
  const char* const name = "empty";
  OrtValue* value = nullptr;
  SN_ORT_TRY(api().Run(session, nullptr, nullptr, nullptr, 0, &name, 1, &value));
  return ValuePtr(value);
}

base::Result<Tensor> decode(std::string_view content, DataType type, std::string_view what) {
  if (content.starts_with(kNpyMagic)) return tensor::parse_npy(content, what);
  const size_t first = content.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && content[first] == '{') {
    return tensor::parse_json_tensor(content, type, what);
  }
  return absl::InvalidArgumentError(
      base::str_cat(what, content.empty() ? " is empty" : " is no tensor",
                    ": a whole .npy file or {\"shape\":[...],\"data\":[...]} is expected"));
}

// Of the tensor in element `index`.
DataType type_of_element(const ValueInfo& info, size_t index) {
  const bool is_key = (info.form == Form::kMap || info.form == Form::kMaps) && index % 2 == 0;
  return static_cast<DataType>(is_key ? info.content.key : info.content.dtype);
}

base::Result<Tensor> decode_element(const ValueInfo& info, size_t index, std::string_view content) {
  const std::string what = base::str_cat("element ", index);
  const DataType type = type_of_element(info, index);
  SN_ASSIGN(Tensor tensor, decode(content, type, what));
  // NumPy has no bfloat16: its bits travel as uint16.
  if (type == DataType::kBf16 && tensor.data_type == DataType::kUint16) tensor.data_type = type;
  if (tensor.data_type != type) {
    return absl::InvalidArgumentError(
        base::str_cat(what, " is a tensor of ", tensor::data_type_name(tensor.data_type),
                      ", but the model takes ", tensor::data_type_name(type),
                      " in a value of type ", info.content.words));
  }
  if (info.content.rank_known && !tensor::shape_matches(info.content.dims, tensor.shape)) {
    return absl::InvalidArgumentError(base::str_cat(
        what, " has shape ", tensor::shape_to_string(tensor.shape), ", but the model takes ",
        tensor::shape_to_string(info.content.dims), " in a value of type ", info.content.words));
  }
  return tensor;
}

base::Result<ValuePtr> make_tensor(const Runtime& runtime, Tensor& from) {
  sn_tensor tensor{};
  tensor.size = sizeof(tensor);
  tensor.name = "";
  tensor.dtype = static_cast<int32_t>(from.data_type);
  tensor.rank = static_cast<int32_t>(from.shape.size());
  tensor.dims = from.shape.data();
  tensor.buffer.size = sizeof(tensor.buffer);
  tensor.buffer.data = from.buffer.data();
  tensor.buffer.byte_size = from.buffer.size();
  if (tensor.dtype == SN_BYTES) return make_strings(runtime, tensor);
  return wrap(runtime, tensor, tensor.buffer.data, tensor.buffer.byte_size);
}

base::Result<ValuePtr> make_value(std::span<const ValuePtr> parts, ONNXType type) {
  std::vector<const OrtValue*> list;
  for (const ValuePtr& part : parts) list.push_back(part.get());
  OrtValue* value = nullptr;
  SN_ORT_TRY(api().CreateValue(list.data(), list.size(), type, &value));
  return ValuePtr(value);
}

base::Result<ValuePtr> make_sequence(const ValueInfo& info, std::span<const ValuePtr> parts) {
  return parts.empty() ? make_empty_sequence(info.empty_sequence.get())
                       : make_value(parts, ONNX_TYPE_SEQUENCE);
}

// A copy, as the runtime's API has it.
base::Result<ValuePtr> part_of(const Runtime& runtime, const OrtValue& value, size_t index) {
  OrtValue* part = nullptr;
  SN_ORT_TRY(api().GetValue(&value, static_cast<int>(index), runtime.allocator, &part));
  return ValuePtr(part);
}

// The runtime reads as many values as there are keys, and keeps one of equal keys.
base::Result<ValuePtr> make_map(const Runtime& runtime, std::span<const ValuePtr> parts) {
  SN_ASSIGN(const TensorShape keys, shape_of(*parts[0]));
  SN_ASSIGN(const TensorShape values, shape_of(*parts[1]));
  if (keys.count != values.count) {
    return absl::InvalidArgumentError(
        base::str_cat("a map has as many values as keys, but there are ", keys.count, " keys and ",
                      values.count, " values"));
  }
  SN_ASSIGN(ValuePtr map, make_value(parts, ONNX_TYPE_MAP));
  SN_ASSIGN(const ValuePtr kept, part_of(runtime, *map, 0));
  SN_ASSIGN(const TensorShape distinct, shape_of(*kept));
  if (distinct.count != keys.count) return absl::InvalidArgumentError("a key is there twice");
  return map;
}

// The host checks shapes too, but not that an optional value is one or none.
base::Status check_dims(const ValueInfo& info, std::span<const int64_t> dims) {
  const bool optional = info.form == Form::kOptional || info.form == Form::kOptionalSequence;
  if (!tensor::shape_matches(info.dims, dims) || (optional && dims[0] > 1)) {
    return absl::InvalidArgumentError(
        base::str_cat("shape ", tensor::shape_to_string(dims), " does not fit the type ",
                      info.content.words, ": ",
                      info.form == Form::kOptional           ? "[1] or, for none, [0]"
                      : info.form == Form::kOptionalSequence ? "[1,n] or, for none, [0,0]"
                      : info.form == Form::kMap              ? "[2], the keys and the values"
                                                             : "[n]",
                      " is expected"));
  }
  return {};
}

// Collects the elements of a BYTES tensor.
class Packer {
 public:
  explicit Packer(const Runtime& runtime) : runtime_(runtime) {}

  base::Status add(const OrtValue& value) {
    SN_ASSIGN(const TensorShape shape, shape_of(value));
    Tensor tensor;
    tensor.data_type = static_cast<DataType>(from_onnx(shape.type));
    tensor.shape.assign(shape.dims.begin(), shape.dims.end());
    if (tensor.data_type == DataType::kBytes) {
      SN_ASSIGN(const sn_buffer strings, pack_strings(value, shape.count));
      tensor.buffer = tensor::Buffer::adopt(strings.data, strings.byte_size,
                                            [strings] { strings.release(strings.owner); });
      SN_ASSIGN(const std::string json, tensor::format_json_tensor(tensor));
      return append(json);
    }
    void* data = nullptr;
    SN_ORT_TRY(api().GetTensorMutableData(const_cast<OrtValue*>(&value), &data));
    const size_t size = shape.count * element_size(from_onnx(shape.type));
    tensor.buffer = tensor::Buffer::adopt(data, size, [] {});  // for the length of this call
    SN_ASSIGN(const std::string npy, tensor::format_npy(tensor));
    return append(npy);
  }

  base::Status add_parts(const OrtValue& value, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      SN_ASSIGN(const ValuePtr part, part_of(runtime_, value, i));
      SN_TRY(add(*part));
    }
    return {};
  }

  sn_buffer take() {
    auto kept = std::make_unique<std::string>(std::move(packed_));
    sn_buffer buffer{};
    buffer.size = sizeof(buffer);
    buffer.device.size = sizeof(buffer.device);
    buffer.data = kept->data();
    buffer.byte_size = kept->size();
    buffer.owner = kept.release();
    buffer.release = [](void* owner) { delete static_cast<std::string*>(owner); };
    return buffer;
  }

 private:
  base::Status append(std::string_view element) {
    if (element.size() > std::numeric_limits<uint32_t>::max()) {
      return absl::ResourceExhaustedError(
          base::str_cat("a tensor of ", element.size(), " bytes; 4294967295 can be sent"));
    }
    tensor::pack_bytes(packed_, element);
    return {};
  }

  const Runtime& runtime_;
  std::string packed_;
};

base::Result<size_t> length_of(const OrtValue& value) {
  size_t length = 0;
  SN_ORT_TRY(api().GetValueCount(&value, &length));
  return length;
}

}  // namespace

base::Status prepare_wrapped(const Runtime& runtime, ValueInfo& input) {
  if (input.form != Form::kSequence && input.form != Form::kOptionalSequence) return {};
  OrtSessionOptions* raw = nullptr;
  SN_ORT_TRY(api().CreateSessionOptions(&raw));
  const SessionOptionsPtr options(raw);
  SN_ORT_TRY(api().SetIntraOpNumThreads(raw, 1));
  const std::string model = empty_sequence_model(to_onnx(input.content.dtype));
  OrtSession* session = nullptr;
  SN_ORT_TRY(api().CreateSessionFromArray(runtime.env, model.data(), model.size(), raw, &session));
  input.empty_sequence.reset(session);
  return {};
}

base::Result<ValuePtr> make_wrapped(const Runtime& runtime, const ValueInfo& input,
                                    const sn_tensor& tensor, std::vector<Tensor>& decoded) {
  const std::span dims(tensor.dims, static_cast<size_t>(tensor.rank));
  SN_TRY(check_dims(input, dims));
  SN_ASSIGN(const int64_t count, tensor::element_count(dims));
  SN_ASSIGN(const auto elements,
            tensor::unpack_bytes({static_cast<const char*>(tensor.buffer.data),
                                  tensor.buffer.data != nullptr ? tensor.buffer.byte_size : 0},
                                 count));
  std::vector<ValuePtr> parts;
  for (size_t i = 0; i < elements.size(); ++i) {
    SN_ASSIGN(Tensor element, decode_element(input, i, elements[i]));
    decoded.push_back(std::move(element));
    SN_ASSIGN(ValuePtr part, make_tensor(runtime, decoded.back()));
    parts.push_back(std::move(part));
  }
  switch (input.form) {
    case Form::kOptional:
      return parts.empty() ? ValuePtr() : std::move(parts.front());
    case Form::kOptionalSequence:
      if (dims[0] == 0) return ValuePtr();
      return make_sequence(input, parts);
    case Form::kMap:
      return make_map(runtime, parts);
    default:
      return make_sequence(input, parts);
  }
}

base::Result<sn_buffer> pack_wrapped(const Runtime& runtime, const ValueInfo& output,
                                     const OrtValue& value, Few<int64_t>& dims) {
  const bool optional = output.form == Form::kOptional || output.form == Form::kOptionalSequence;
  Packer packer(runtime);
  int has_value = 1;
  if (optional) SN_ORT_TRY(api().HasValue(&value, &has_value));
  if (has_value == 0) {
    dims.assign(output.dims.size(), 0);
    return packer.take();
  }
  if (output.form == Form::kOptional) {
    SN_TRY(packer.add(value));
    dims.assign({1});
    return packer.take();
  }
  SN_ASSIGN(const size_t length, length_of(value));
  const auto size = static_cast<int64_t>(length);
  if (output.form == Form::kMaps) {
    for (size_t i = 0; i < length; ++i) {
      SN_ASSIGN(const ValuePtr map, part_of(runtime, value, i));
      SN_TRY(packer.add_parts(*map, 2));
    }
    dims.assign({size, 2});
    return packer.take();
  }
  SN_TRY(packer.add_parts(value, length));
  dims.assign({size});
  if (output.form == Form::kOptionalSequence) dims.assign({1, size});
  return packer.take();
}

}  // namespace supernova::engine::onnxruntime
