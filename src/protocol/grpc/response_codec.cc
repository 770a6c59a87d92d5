#include "protocol/grpc/response_codec.h"

#include <cstring>
#include <limits>

#include "protocol/grpc/parameters.h"

namespace supernova::protocol::grpc {
namespace {

using tensor::Buffer;
using tensor::Tensor;

// Outputs of at least so many bytes are sent from where they are.
constexpr size_t kLarge = 4096;
// The entry {"triton_final_response": true} of `parameters`.
constexpr std::string_view kFinalResponse = "\x0a\x15triton_final_response\x12\x02\x08\x01";

enum Field : uint8_t {
  // ModelInferResponse
  kModelName = 1,
  kModelVersion = 2,
  kId = 3,
  kParameters = 4,
  kOutputs = 5,
  kRawContents = 6,
  // InferOutputTensor
  kName = 1,
  kDatatype = 2,
  kShape = 3,
  // ModelStreamInferResponse
  kInferResponse = 2,
};

size_t varint_size(uint64_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Of a field of bytes whose number is below 16.
size_t field_size(size_t bytes) { return 1 + varint_size(bytes) + bytes; }
// Texts that are empty are left out.
size_t text_size(std::string_view text) { return text.empty() ? 0 : field_size(text.size()); }

// Writes fields of one message to memory of the size that the functions above say.
class FieldWriter {
 public:
  explicit FieldWriter(uint8_t* to) : at_(to) {}

  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) *at_++ = static_cast<uint8_t>(value | 0x80);
    *at_++ = static_cast<uint8_t>(value);
  }
  // The bytes come next.
  void begin(Field field, size_t bytes) {
    *at_++ = static_cast<uint8_t>(field << 3 | 2);
    varint(bytes);
  }
  void bytes(Field field, std::string_view bytes) {
    begin(field, bytes.size());
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void text(Field field, std::string_view text) {
    if (!text.empty()) bytes(field, text);
  }
  const uint8_t* at() const { return at_; }

 private:
  uint8_t* at_;
};

std::string encode_parameter(const std::string& key, const tensor::Parameter& value) {
  inference::InferParameter message;
  fill(value, message);
  const std::string content = message.SerializeAsString();
  std::string entry(field_size(key.size()) + field_size(content.size()), 0);
  FieldWriter writer(reinterpret_cast<uint8_t*>(entry.data()));
  writer.bytes(Field{1}, key);
  writer.bytes(Field{2}, content);
  return entry;
}

// One response: measured, then written.
class ResponseWriter {
 public:
  ResponseWriter(const tensor::Response& response, const std::vector<Buffer>& destinations)
      : response_(response), destinations_(destinations) {
    for (const auto& [key, value] : response.parameters) {
      parameters_.push_back(encode_parameter(key, value));
    }
  }
  void add_parameter(std::string_view entry) { parameters_.emplace_back(entry); }

  base::Status check_size() const {
    // Room for names and shapes beside the data.
    constexpr uint64_t kMaxBytes = std::numeric_limits<int32_t>::max() - (uint64_t{1} << 20);
    uint64_t bytes = 0;
    for (size_t i = 0; i < response_.outputs.size(); ++i) bytes += content(i).size();
    if (bytes <= kMaxBytes) return {};
    return absl::ResourceExhaustedError(base::str_cat(
        "the outputs have ", bytes, " bytes and a gRPC message holds less than 2 GiB; ",
        "ask for fewer outputs, or use HTTP"));
  }

  Message write(ResponseForm form) {
    measure();
    const size_t envelope = form == ResponseForm::kStream ? 1 + varint_size(size_) : 0;
    // Never one that lies in the variable itself, as short ones may.
    grpc_slice head = grpc_slice_malloc_large(envelope + size_ - large_);
    FieldWriter writer(GRPC_SLICE_START_PTR(head));
    if (envelope > 0) writer.begin(kInferResponse, size_);
    writer.text(kModelName, response_.model_name);
    writer.text(kModelVersion, response_.model_version);
    writer.text(kId, response_.id);
    for (const std::string& entry : parameters_) writer.bytes(kParameters, entry);
    for (const Tensor& output : response_.outputs) write_head(writer, output);
    return write_contents(writer, head);
  }

 private:
  // What travels of an output.
  std::string_view content(size_t i) const {
    const bool placed = i < destinations_.size() && destinations_[i].data() != nullptr;
    return placed ? std::string_view() : response_.outputs[i].buffer.view();
  }

  static size_t shape_size(const Tensor& output) {
    size_t size = 0;
    for (const int64_t of_one : output.shape) size += varint_size(static_cast<uint64_t>(of_one));
    return size;
  }
  static size_t head_size(const Tensor& output) {
    return text_size(output.name) + text_size(tensor::data_type_name(output.data_type)) +
           (output.shape.empty() ? 0 : field_size(shape_size(output)));
  }

  void measure() {
    size_ = text_size(response_.model_name) + text_size(response_.model_version) +
            text_size(response_.id);
    for (const std::string& entry : parameters_) size_ += field_size(entry.size());
    for (size_t i = 0; i < response_.outputs.size(); ++i) {
      const size_t bytes = content(i).size();
      size_ += field_size(head_size(response_.outputs[i])) + field_size(bytes);
      if (bytes >= kLarge) large_ += bytes;
    }
  }

  static void write_head(FieldWriter& writer, const Tensor& output) {
    writer.begin(kOutputs, head_size(output));
    writer.text(kName, output.name);
    writer.text(kDatatype, tensor::data_type_name(output.data_type));
    if (output.shape.empty()) return;
    writer.begin(kShape, shape_size(output));
    for (const int64_t size : output.shape) writer.varint(static_cast<uint64_t>(size));
  }

  // The message is the parts of `head`, with the large contents between them.
  Message write_contents(FieldWriter& writer, grpc_slice head) {
    absl::InlinedVector<grpc_slice, 4> slices;
    const uint8_t* const start = GRPC_SLICE_START_PTR(head);
    size_t cut = 0;
    for (size_t i = 0; i < response_.outputs.size(); ++i) {
      const std::string_view bytes = content(i);
      if (bytes.size() < kLarge) {
        writer.bytes(kRawContents, bytes);
        continue;
      }
      writer.begin(kRawContents, bytes.size());
      const auto end = static_cast<size_t>(writer.at() - start);
      slices.push_back(grpc_slice_sub(head, cut, end));
      slices.push_back(share(response_.outputs[i].buffer));
      cut = end;
    }
    const size_t end = GRPC_SLICE_LENGTH(head);
    if (cut < end || slices.empty()) slices.push_back(grpc_slice_sub(head, cut, end));
    Message message(slices);
    for (const grpc_slice& slice : slices) grpc_slice_unref(slice);
    grpc_slice_unref(head);
    return message;
  }

  static grpc_slice share(const Buffer& buffer) {
    auto* const held = new Buffer(buffer);
    return grpc_slice_new_with_user_data(
        held->data(), held->size(), [](void* holder) { delete static_cast<Buffer*>(holder); },
        held);
  }

  const tensor::Response& response_;
  const std::vector<Buffer>& destinations_;
  std::vector<std::string> parameters_;  // entries
  size_t size_ = 0;                      // of the ModelInferResponse
  size_t large_ = 0;                     // of it, sent from where they are
};

void fill_tensor(const tensor::TensorInfo& info,
                 inference::ModelMetadataResponse::TensorMetadata& message) {
  message.set_name(info.name);
  message.set_datatype(std::string(tensor::data_type_name(info.data_type)));
  message.mutable_shape()->Add(info.shape.begin(), info.shape.end());
}

}  // namespace

base::Result<Message> encode_response(const tensor::Response& response,
                                      const std::vector<Buffer>& destinations, ResponseForm form) {
  ResponseWriter writer(response, destinations);
  SN_TRY(writer.check_size());
  // A request has one response, so each is the last of its request.
  if (form == ResponseForm::kStream) writer.add_parameter(kFinalResponse);
  return writer.write(form);
}

Message encode_stream_error(std::string_view id, const base::Status& status) {
  inference::ModelStreamInferResponse message;
  message.set_error_message(std::string(base::message(status)));
  message.mutable_infer_response()->set_id(std::string(id));
  auto& parameters = *message.mutable_infer_response()->mutable_parameters();
  parameters["triton_final_response"].set_bool_param(true);
  return serialize(message);
}

void fill(const service::ServerMetadata& metadata, inference::ServerMetadataResponse& message) {
  message.set_name(metadata.name);
  message.set_version(metadata.version);
  for (const std::string& extension : metadata.extensions) message.add_extensions(extension);
}

void fill(const service::ModelMetadata& metadata, inference::ModelMetadataResponse& message) {
  message.set_name(metadata.name);
  message.set_platform(metadata.platform);
  for (const std::string& version : metadata.versions) message.add_versions(version);
  for (const auto& input : metadata.inputs) fill_tensor(input, *message.add_inputs());
  for (const auto& output : metadata.outputs) fill_tensor(output, *message.add_outputs());
}

}  // namespace supernova::protocol::grpc
