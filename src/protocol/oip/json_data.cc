#include "protocol/oip/json_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/base64.h"
#include "tensor/bytes.h"

namespace supernova::protocol::oip {
namespace {

using tensor::Buffer;
using tensor::DataType;

// What is due behind the elements that have been read.
enum class Next { kFailed, kSeparator, kValue };

// Calls `element` at each scalar of a nested array; it may read further ones beside that.
template <typename Element>
bool walk_array(JsonReader& reader, Element&& element) {
  if (reader.peek() != '[') return reader.fail("'data' must be an array");
  reader.advance();
  int depth = 1;
  bool value_due = true;  // after '[' or ','
  bool opened = true;     // right after '['
  while (depth > 0) {
    const char c = reader.peek();
    if (c == ']') {
      if (value_due && !opened) return reader.fail("expected a value after ','");
      reader.advance();
      --depth;
      value_due = opened = false;
    } else if (!value_due) {
      if (c != ',') return reader.fail("expected ',' or ']'");
      reader.advance();
      value_due = true;
    } else if (c == '[') {
      if (++depth > JsonReader::kMaxDepth) return reader.fail("more than 100 levels of nesting");
      reader.advance();
      opened = true;
    } else {
      const Next next = element();
      if (next == Next::kFailed) return false;
      value_due = next == Next::kValue;
      opened = false;
    }
  }
  return true;
}

bool out_of_range(JsonReader& reader, std::string_view token, DataType type) {
  return reader.fail(
      base::str_cat(token.substr(0, 40), " is out of the range of ", tensor::data_type_name(type)));
}

template <std::integral T>
bool read_value(JsonReader& reader, DataType type, T& value) {
  std::string_view token;
  bool whole = false;
  if (!reader.read_number(token, whole)) return false;
  if (!whole) {
    return reader.fail(base::str_cat(token.substr(0, 40), " is not a whole number, as ",
                                     tensor::data_type_name(type), " needs"));
  }
  if (token == "-0") token.remove_prefix(1);
  const auto end = std::from_chars(token.data(), token.data() + token.size(), value);
  if (end.ec == std::errc() && end.ptr == token.data() + token.size()) return true;
  return out_of_range(reader, token, type);
}

// Numbers too small for the type become the nearest it has, 0 included; too large is an error.
template <std::floating_point T>
bool read_value(JsonReader& reader, DataType type, T& value) {
  std::string_view token;
  bool whole = false;
  if (!reader.read_number(token, whole)) return false;
  const auto end = std::from_chars(token.data(), token.data() + token.size(), value);
  if (end.ec == std::errc()) return true;
  const std::string text(token);
  value = std::same_as<T, float> ? std::strtof(text.c_str(), nullptr)
                                 : static_cast<T>(std::strtod(text.c_str(), nullptr));
  return std::isfinite(value) ? true : out_of_range(reader, token, type);
}

bool read_bool_value(JsonReader& reader, uint8_t& value) {
  const char c = reader.peek();
  if (c == 't' || c == 'f') {
    bool truth = false;
    if (!reader.read_bool(truth)) return false;
    value = truth ? 1 : 0;
    return true;
  }
  return read_value(reader, DataType::kBool, value) &&
         (value <= 1 || reader.fail("BOOL takes true, false, 1 and 0"));
}

base::Status wrong_count(int64_t expected, std::string_view got) {
  return absl::InvalidArgumentError(
      base::str_cat("the shape has ", expected, " elements, but 'data' has ", got));
}

// One element; those without room are only counted.
template <typename T, typename Read>
Next read_one(T* values, size_t room, int64_t& got, Read&& read) {
  T value{};
  if (!read(value)) return Next::kFailed;
  if (room > 0) *values = value;
  ++got;
  return Next::kSeparator;
}

// `read(values, room, got)` reads an element or more to where there is room.
template <typename T, typename Read>
base::Result<Buffer> read_fixed(JsonReader& reader, int64_t count, Read&& read) {
  // An element takes at least one character and what separates it from the next.
  if (static_cast<uint64_t>(count) > reader.remaining()) return wrong_count(count, "fewer");
  Buffer buffer = Buffer::allocate(static_cast<size_t>(count) * sizeof(T));
  if (buffer.data() == nullptr) {
    return absl::ResourceExhaustedError("there is no memory for the tensor");
  }
  T* const values = reinterpret_cast<T*>(buffer.data());
  int64_t got = 0;
  const bool read_all = walk_array(reader, [&] {
    const int64_t room = std::max<int64_t>(0, count - got);
    return read(values + (count - room), static_cast<size_t>(room), got);
  });
  if (!read_all) return reader.status();
  if (got != count) return wrong_count(count, std::to_string(got));
  return buffer;
}

template <typename T>
base::Result<Buffer> read_numbers(JsonReader& reader, DataType type, int64_t count) {
  return read_fixed<T>(reader, count, [&](T* values, size_t room, int64_t& got) {
    const NumberRun run = reader.read_numbers(values, room);
    got += static_cast<int64_t>(run.count);
    if (run.count > 0) return run.value_due ? Next::kValue : Next::kSeparator;
    return read_one(values, room, got, [&](T& value) { return read_value(reader, type, value); });
  });
}

base::Result<Buffer> read_bools(JsonReader& reader, int64_t count) {
  return read_fixed<uint8_t>(reader, count, [&](uint8_t* values, size_t room, int64_t& got) {
    return read_one(values, room, got,
                    [&](uint8_t& value) { return read_bool_value(reader, value); });
  });
}

// {"b64": "..."}
bool read_base64(JsonReader& reader, std::string& element) {
  constexpr std::string_view kExpected = "expected a string or {\"b64\": \"...\"}";
  std::string key;
  std::string text;
  bool first = true;
  if (!reader.next_member(first, key) || key != "b64") return reader.fail(kExpected);
  if (!reader.read_string(text)) return false;
  if (reader.next_member(first, key)) return reader.fail(kExpected);
  if (!reader.ok()) return false;
  element.clear();
  return base::decode_base64(text, element) || reader.fail("damaged base64");
}

base::Result<Buffer> read_strings(JsonReader& reader, int64_t count, Strings strings) {
  std::string packed;
  std::string element;
  int64_t got = 0;
  const bool read_all = walk_array(reader, [&] {
    const bool is_base64 = strings == Strings::kTextOrBase64 && reader.peek() == '{';
    const bool is_read = is_base64 ? read_base64(reader, element) : reader.read_string(element);
    if (!is_read) return Next::kFailed;
    if (got++ < count) tensor::pack_bytes(packed, element);
    return Next::kSeparator;
  });
  if (!read_all) return reader.status();
  if (got != count) return wrong_count(count, std::to_string(got));
  Buffer buffer = Buffer::copy_of(packed);
  if (buffer.data() == nullptr) {
    return absl::ResourceExhaustedError("there is no memory for the tensor");
  }
  return buffer;
}

}  // namespace

base::Result<Buffer> read_json_data(JsonReader& reader, DataType type, int64_t count,
                                    Strings strings) {
  switch (type) {
    case DataType::kBool:
      return read_bools(reader, count);
    case DataType::kUint8:
      return read_numbers<uint8_t>(reader, type, count);
    case DataType::kUint16:
      return read_numbers<uint16_t>(reader, type, count);
    case DataType::kUint32:
      return read_numbers<uint32_t>(reader, type, count);
    case DataType::kUint64:
      return read_numbers<uint64_t>(reader, type, count);
    case DataType::kInt8:
      return read_numbers<int8_t>(reader, type, count);
    case DataType::kInt16:
      return read_numbers<int16_t>(reader, type, count);
    case DataType::kInt32:
      return read_numbers<int32_t>(reader, type, count);
    case DataType::kInt64:
      return read_numbers<int64_t>(reader, type, count);
    case DataType::kFp32:
      return read_numbers<float>(reader, type, count);
    case DataType::kFp64:
      return read_numbers<double>(reader, type, count);
    case DataType::kBytes:
      return read_strings(reader, count, strings);
    default:
      return absl::InvalidArgumentError(
          base::str_cat("datatype ", tensor::data_type_name(type),
                        " has no JSON form; send it as binary data (binary_data_size)"));
  }
}

}  // namespace supernova::protocol::oip
