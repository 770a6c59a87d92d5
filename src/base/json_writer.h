// Appends JSON text to a string. Floats are written as the shortest text that reads back to the
// same value; strings are escaped, and must be valid UTF-8 (see append_json_string). Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace supernova::base {

bool is_valid_utf8(std::string_view text);

// Appends `text` quoted and escaped. Bytes that are not valid UTF-8 are replaced by U+FFFD, so that
// the result is always valid JSON.
void append_json_string(std::string& out, std::string_view text);
void append_json_number(std::string& out, int64_t value);
void append_json_number(std::string& out, uint64_t value);
// Infinity and NaN have no JSON form: callers refuse them or write null.
void append_json_number(std::string& out, double value);
void append_json_number(std::string& out, float value);

}  // namespace supernova::base
