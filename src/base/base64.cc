#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace supernova::base {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNone = 0xFF;

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kNone);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return values;
}
constexpr std::array<uint8_t, 256> kValues = make_values();

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i) {
      group = group << 8U | (i < have ? static_cast<uint8_t>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) {
      out += i <= have ? kAlphabet[group >> (18 - 6 * i) & 0x3FU] : '=';
    }
  }
}

bool decode_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  out.reserve(out.size() + text.size() / 4 * 3);
  uint32_t group = 0;
  for (size_t at = 0; at < text.size() - padding; ++at) {
    const uint8_t value = kValues[static_cast<unsigned char>(text[at])];
    if (value == kNone) return false;
    group = group << 6U | value;
    if (at % 4 != 3) continue;
    out += static_cast<char>(group >> 16U);
    out += static_cast<char>(group >> 8U);
    out += static_cast<char>(group);
    group = 0;
  }
  if (padding == 1) {
    if ((group & 3U) != 0) return false;
    out += static_cast<char>(group >> 10U);
    out += static_cast<char>(group >> 2U);
  } else if (padding == 2) {
    if ((group & 15U) != 0) return false;
    out += static_cast<char>(group >> 4U);
  }
  return true;
}

}  // namespace supernova::base
