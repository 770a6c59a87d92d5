#include "protocol/oip/json_text.h"

#include <cmath>

namespace supernova::protocol::oip {

void append_comma(std::string& out) {
  if (!out.empty() && out.back() != '{' && out.back() != '[') out += ',';
}

void append_key(std::string& out, std::string_view key) {
  append_comma(out);
  base::append_json_string(out, key);
  out += ':';
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  append_key(out, key);
  base::append_json_string(out, value);
}

void append_text_if(std::string& out, std::string_view key, std::string_view value) {
  if (!value.empty()) append_text(out, key, value);
}

void append_count(std::string& out, std::string_view key, uint64_t value) {
  append_key(out, key);
  base::append_json_number(out, value);
}

void append_raw(std::string& out, std::string_view key, std::string_view json) {
  append_key(out, key);
  out += json;
}

void append_strings(std::string& out, std::string_view key,
                    const std::vector<std::string>& values) {
  append_key(out, key);
  out += '[';
  for (const std::string& value : values) {
    append_comma(out);
    base::append_json_string(out, value);
  }
  out += ']';
}

void append_parameter(std::string& out, const tensor::Parameter& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    base::append_json_string(out, *text);
  } else if (const auto* truth = std::get_if<bool>(&value)) {
    out += *truth ? "true" : "false";
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    base::append_json_number(out, *number);
  } else if (const auto* large = std::get_if<uint64_t>(&value)) {
    base::append_json_number(out, *large);
  } else if (const double real = std::get<double>(value); std::isfinite(real)) {
    base::append_json_number(out, real);
  } else {
    out += "null";
  }
}

}  // namespace supernova::protocol::oip
