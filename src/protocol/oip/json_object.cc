#include "protocol/oip/json_object.h"

#include <simdjson.h>

#include <charconv>
#include <set>

namespace supernova::protocol::oip {
namespace {

base::Status wrong_kind(std::string_view key, std::string_view where, std::string_view kind) {
  return absl::InvalidArgumentError(base::str_cat("'", key, "' of ", where, " must be ", kind));
}

}  // namespace

base::Status read_json_object(JsonReader& reader, std::string_view what, JsonMember member) {
  if (reader.peek() != '{') {
    return absl::InvalidArgumentError(base::str_cat(what, " must be an object"));
  }
  std::string key;
  std::set<std::string> seen;
  for (bool first = true; reader.next_member(first, key);) {
    if (!seen.insert(key).second) {
      return absl::InvalidArgumentError(base::str_cat(what, " has '", key, "' twice"));
    }
    SN_TRY(member(key));
    SN_TRY(reader.status());
  }
  return reader.status();
}

base::Status read_json_text(
    std::string_view text, std::string_view what,
    absl::FunctionRef<base::Status(JsonReader&, const std::string&)> member) {
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return absl::InvalidArgumentError(base::str_cat(what, " is not valid UTF-8"));
  }
  JsonReader reader(text);
  if (reader.at_end()) return {};
  const auto read_member = [&](const std::string& key) { return member(reader, key); };
  SN_TRY(read_json_object(reader, what, read_member));
  if (!reader.at_end()) reader.fail(base::str_cat("unexpected text after ", what));
  return reader.status();
}

base::Status read_parameter(JsonReader& reader, std::string_view key, std::string_view where,
                            tensor::Parameter& value) {
  const char c = reader.peek();
  if (c == '"') {
    std::string text;
    reader.read_string(text);
    value = std::move(text);
  } else if (c == 't' || c == 'f') {
    bool truth = false;
    reader.read_bool(truth);
    value = truth;
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    std::string_view token;
    bool whole = false;
    if (!reader.read_number(token, whole)) return reader.status();
    const char* const end = token.data() + token.size();
    int64_t number = 0;
    uint64_t large = 0;
    double real = 0;
    if (whole && std::from_chars(token.data(), end, number).ec == std::errc()) {
      value = number;
    } else if (whole && std::from_chars(token.data(), end, large).ec == std::errc()) {
      value = large;
    } else if (!whole && std::from_chars(token.data(), end, real).ec == std::errc()) {
      value = real;
    } else {
      return absl::InvalidArgumentError(
          base::str_cat("parameter '", key, "' of ", where, " is out of range"));
    }
  } else if (c != '\0') {
    return absl::InvalidArgumentError(base::str_cat("parameter '", key, "' of ", where,
                                                    " must be a string, a number or a boolean"));
  }
  return reader.status();
}

base::Result<bool> read_flag(JsonReader& reader, std::string_view key, std::string_view where) {
  if (reader.peek() != 't' && reader.peek() != 'f') return wrong_kind(key, where, "a boolean");
  bool truth = false;
  reader.read_bool(truth);
  SN_TRY(reader.status());
  return truth;
}

base::Result<std::string> read_text(JsonReader& reader, std::string_view key,
                                    std::string_view where) {
  if (reader.peek() != '"') return wrong_kind(key, where, "a string");
  std::string text;
  reader.read_string(text);
  SN_TRY(reader.status());
  return text;
}

base::Result<uint64_t> read_size(JsonReader& reader, std::string_view key, std::string_view where) {
  tensor::Parameter value;
  SN_TRY(read_parameter(reader, key, where, value));
  if (const auto* large = std::get_if<uint64_t>(&value)) return *large;
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < 0) {
    return wrong_kind(key, where, "a whole number from 0 to 2^64-1");
  }
  return static_cast<uint64_t>(*number);
}

}  // namespace supernova::protocol::oip
