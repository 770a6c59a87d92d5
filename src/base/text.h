// Text helpers on std::string_view. (Debian builds Abseil with a string_view of its own, so
// absl::StrCat and its kin don't take std::string_view.)
#pragma once

#include <absl/strings/string_view.h>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace supernova::base {

inline void append_text(std::string& out, std::string_view text) { out += text; }
inline void append_text(std::string& out, const std::string& text) { out += text; }
inline void append_text(std::string& out, const char* text) { out += text; }
inline void append_text(std::string& out, char text) { out += text; }
inline void append_text(std::string& out, absl::string_view text) {
  out.append(text.data(), text.size());
}
template <typename T>
requires(std::integral<T> || std::floating_point<T>) void append_text(std::string& out, T number) {
  if constexpr (std::same_as<T, bool>) {
    out += number ? "true" : "false";
  } else {
    char digits[40];
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  }
}

// The arguments as text, one after the other.
template <typename... Parts>
std::string str_cat(const Parts&... parts) {
  std::string out;
  (append_text(out, parts), ...);
  return out;
}

template <typename Range>
std::string str_join(const Range& range, std::string_view separator) {
  std::string out;
  bool first = true;
  for (const auto& item : range) {
    if (!first) out += separator;
    first = false;
    append_text(out, item);
  }
  return out;
}

// A whole number that fills all of `text`, in [0, max of T]; false otherwise.
template <std::integral T>
bool parse_whole(std::string_view text, T& number) {
  if (text.empty() || text.front() == '-') return false;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  return end.ec == std::errc() && end.ptr == text.data() + text.size();
}

}  // namespace supernova::base
