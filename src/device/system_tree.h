// Reads small files of /proc, /sys and /dev below a root. Nothing read is trusted: what is absent,
// no regular file or too large is empty or cut. Stateless and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace supernova::device {

// The content of the regular file `path` below `sysroot` ("" when it can't be read), at most
// 16 MiB.
std::string read_system_file(const std::string& sysroot, const std::string& path);
// Its first line, trimmed, printable and at most 256 bytes long.
std::string read_line(const std::string& sysroot, const std::string& path);
// Its first line as a number, decimal or after 0x hexadecimal; 0 when it is none.
uint64_t read_number(const std::string& sysroot, const std::string& path);

bool exists(const std::string& sysroot, const std::string& path);
// Names in a folder, "2" before "10"; at most 4096.
std::vector<std::string> list_folder(const std::string& sysroot, const std::string& path);
// The last part of what a symbolic link points to, as for .../driver; "" when it is none.
std::string link_name(const std::string& sysroot, const std::string& path);

std::string_view trimmed(std::string_view text);
// Without control characters and, where it is no UTF-8, without what is no ASCII; cut to 256 bytes.
std::string printable(std::string_view text);
// Of "Key: value" and "key value" lines: the value of the first with that key, "" = none.
std::string value_of(std::string_view text, std::string_view key);
// Hexadecimal, with or without 0x; 0 when it is no number.
uint64_t parse_hex(std::string_view text);
// Order of names with numbers in them: "renderD9" < "renderD128".
bool natural_less(std::string_view a, std::string_view b);

}  // namespace supernova::device
