#include "protocol/grpc/request_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <simdjson.h>

#include <protozero/pbf_reader.hpp>

namespace supernova::protocol::grpc {
namespace {

using google::protobuf::io::CodedInputStream;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

constexpr uint32_t kBytes = static_cast<uint32_t>(pbf_wire_type::length_delimited);
constexpr uint32_t kParameters = 4;
constexpr uint32_t kRawContents = 7;

constexpr uint32_t field(uint32_t number, pbf_wire_type type) { return tag_and_type(number, type); }
constexpr uint32_t text(uint32_t number) {
  return tag_and_type(number, pbf_wire_type::length_delimited);
}

base::Status malformed() {
  return absl::InvalidArgumentError("the call's message is no inference.ModelInferRequest");
}

void append_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

void append_field(std::string& to, uint32_t number, std::string_view bytes) {
  append_varint(to, number << 3 | kBytes);
  append_varint(to, bytes.size());
  to += bytes;
}

std::string_view next_bytes(pbf_reader& reader) {
  const protozero::data_view bytes = reader.get_view();
  return {bytes.data(), bytes.size()};
}

// Throws as the reader does.
std::string_view next_text(pbf_reader& reader) {
  const std::string_view found = next_bytes(reader);
  if (!simdjson::validate_utf8(found.data(), found.size())) throw protozero::exception();
  return found;
}

// Fields of another type than theirs are skipped like those that nobody knows.
void scan(std::string_view bytes, RequestParts& parts) {
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case text(1):
        parts.model_name = next_text(reader);
        break;
      case text(2):
        parts.model_version = next_text(reader);
        break;
      case text(3):
        parts.id = next_text(reader);
        break;
      case text(kParameters):
        append_field(parts.parameters, kParameters, next_bytes(reader));
        break;
      case text(5):
        parts.inputs.push_back(next_bytes(reader));
        break;
      case text(6):
        parts.outputs.push_back(next_bytes(reader));
        break;
      case text(kRawContents):
        parts.raw.push_back({next_bytes(reader), {}});
        break;
      default:
        reader.skip();
    }
  }
}

bool copy_bytes(CodedInputStream& in, size_t size, std::string& to) {
  const size_t before = to.size();
  to.resize(before + size);
  return in.ReadRaw(to.data() + before, static_cast<int>(size));
}

size_t bytes_left(const CodedInputStream& in, size_t all) {
  return all - static_cast<size_t>(in.CurrentPosition());
}

// The field after `tag`, as it is; false when it is none.
bool copy_field(CodedInputStream& in, uint32_t tag, size_t all, std::string& to) {
  append_varint(to, tag);
  uint64_t number = 0;
  switch (static_cast<pbf_wire_type>(tag & 7)) {
    case pbf_wire_type::varint:
      if (!in.ReadVarint64(&number)) return false;
      append_varint(to, number);
      return true;
    case pbf_wire_type::fixed64:
      return copy_bytes(in, 8, to);
    case pbf_wire_type::fixed32:
      return copy_bytes(in, 4, to);
    case pbf_wire_type::length_delimited:
      if (!in.ReadVarint64(&number) || number > bytes_left(in, all)) return false;
      append_varint(to, number);
      return copy_bytes(in, number, to);
    default:
      return false;
  }
}

base::Status gather_raw(CodedInputStream& in, size_t all, RequestParts& parts) {
  uint64_t size = 0;
  if (!in.ReadVarint64(&size) || size > bytes_left(in, all)) return malformed();
  const void* here = nullptr;
  int count = 0;
  if (in.GetDirectBufferPointer(&here, &count) && static_cast<size_t>(count) >= size) {
    parts.raw.push_back({{static_cast<const char*>(here), size}, {}});
    in.Skip(static_cast<int>(size));
    return {};
  }
  tensor::Buffer buffer = tensor::Buffer::allocate(size);
  if (buffer.data() == nullptr) {
    return absl::ResourceExhaustedError(base::str_cat("no memory for ", size, " bytes"));
  }
  if (!in.ReadRaw(buffer.data(), static_cast<int>(size))) return malformed();
  const std::string_view bytes = buffer.view();
  parts.raw.push_back({bytes, std::move(buffer)});
  return {};
}

// Large contents cross the slices' borders: each is copied once, to where it stays.
base::Status gather(const Message& message, RequestParts& parts) {
  const size_t all = message.size();
  MessageStream stream(message);
  CodedInputStream in(&stream);
  while (const uint32_t tag = in.ReadTag()) {
    if (tag == text(kRawContents)) {
      SN_TRY(gather_raw(in, all, parts));
    } else if (!copy_field(in, tag, all, parts.gathered)) {
      return malformed();
    }
  }
  return in.ConsumedEntireMessage() ? base::Status() : malformed();
}

void scan(std::string_view bytes, InputHead& head) {
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case text(1):
        head.name = next_text(reader);
        break;
      case text(2):
        head.datatype = next_text(reader);
        break;
      case text(3):
        for (const int64_t size : reader.get_packed_int64()) head.shape.push_back(size);
        break;
      case field(3, pbf_wire_type::varint):
        head.shape.push_back(reader.get_int64());
        break;
      case text(4):
      case text(5):
        head.has_more = true;
        [[fallthrough]];
      default:
        reader.skip();
    }
  }
}

void scan(std::string_view bytes, OutputHead& head) {
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case text(1):
        head.name = next_text(reader);
        break;
      case text(2):
        head.has_more = true;
        [[fallthrough]];
      default:
        reader.skip();
    }
  }
}

template <typename Into>
base::Status scanned(std::string_view bytes, Into& into) {
  try {
    scan(bytes, into);
    return {};
  } catch (const protozero::exception&) {
    return malformed();
  }
}

}  // namespace

base::Status split_request(const Message& message, RequestParts& parts) {
  if (!message) return absl::InvalidArgumentError("the call brings no message");
  const auto slices = message.slices();
  if (slices.size() == 1) return scanned(view(slices.front()), parts);
  SN_TRY(gather(message, parts));
  return scanned(parts.gathered, parts);
}

base::Status read_head(std::string_view bytes, InputHead& head) { return scanned(bytes, head); }
base::Status read_head(std::string_view bytes, OutputHead& head) { return scanned(bytes, head); }

}  // namespace supernova::protocol::grpc
