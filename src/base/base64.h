// Base64 in the standard alphabet with padding (RFC 4648, section 4). Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace supernova::base {

void append_base64(std::string& out, std::string_view bytes);
// Appends what `text` stands for. False, with `out` unspecified, for anything but canonical
// base64: another alphabet, white space, missing padding, bits set that stand for nothing.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace supernova::base
