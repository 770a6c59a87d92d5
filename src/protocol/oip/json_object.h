// JSON objects read member by member, and the values that parameters may have.
#pragma once

#include <absl/functional/function_ref.h>

#include <string>
#include <string_view>

#include "protocol/oip/json_reader.h"
#include "tensor/request.h"

namespace supernova::protocol::oip {

// Reads the value of `key` (or skips it) from the reader in hand.
using JsonMember = absl::FunctionRef<base::Status(const std::string& key)>;

// Reads the object that comes next; a key given twice is an error. `what` names it in messages.
base::Status read_json_object(JsonReader& reader, std::string_view what, JsonMember member);
// Reads a whole text that is one object, or nothing at all.
base::Status read_json_text(
    std::string_view text, std::string_view what,
    absl::FunctionRef<base::Status(JsonReader&, const std::string&)> member);

// A string, number or boolean; `key` and `where` name it in messages.
base::Status read_parameter(JsonReader& reader, std::string_view key, std::string_view where,
                            tensor::Parameter& value);
base::Result<bool> read_flag(JsonReader& reader, std::string_view key, std::string_view where);
base::Result<std::string> read_text(JsonReader& reader, std::string_view key,
                                    std::string_view where);
// A whole number in [0, 2^64-1].
base::Result<uint64_t> read_size(JsonReader& reader, std::string_view key, std::string_view where);

}  // namespace supernova::protocol::oip
