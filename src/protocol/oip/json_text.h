// Writes the members of JSON objects.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_writer.h"
#include "tensor/request.h"

namespace supernova::protocol::oip {

// Appends `"key":`, with a comma in front unless it opens an object or an array.
void append_key(std::string& out, std::string_view key);
// A comma, unless the next value opens an object or an array.
void append_comma(std::string& out);

void append_text(std::string& out, std::string_view key, std::string_view value);
// Nothing where `value` is empty.
void append_text_if(std::string& out, std::string_view key, std::string_view value);
void append_count(std::string& out, std::string_view key, uint64_t value);
void append_raw(std::string& out, std::string_view key, std::string_view json);
void append_strings(std::string& out, std::string_view key, const std::vector<std::string>& values);
// An array of objects, one for each of `items`; `members(item)` appends those of one.
template <typename Items, typename Members>
void append_objects(std::string& out, const Items& items, Members members) {
  out += '[';
  for (const auto& item : items) {
    append_comma(out);
    out += '{';
    members(item);
    out += '}';
  }
  out += ']';
}
// The same as the member `key`.
template <typename Items, typename Members>
void append_objects(std::string& out, std::string_view key, const Items& items, Members members) {
  append_key(out, key);
  append_objects(out, items, std::move(members));
}
// A number that JSON has no form for is null.
void append_parameter(std::string& out, const tensor::Parameter& value);

}  // namespace supernova::protocol::oip
