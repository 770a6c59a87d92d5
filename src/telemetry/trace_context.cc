#include "telemetry/trace_context.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace supernova::telemetry {
namespace {

constexpr size_t kLength = 55;  // "vv-" 32 "-" 16 "-ff"
constexpr uint8_t kSampled = 1;

// Lower-case digits only, as the standard wants.
int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <size_t N>
bool read_hex(std::string_view text, std::array<uint8_t, N>& bytes) {
  for (size_t i = 0; i < N; ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

template <size_t N>
void append_hex(std::string& text, const std::array<uint8_t, N>& bytes) {
  for (const uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
}

template <size_t N>
bool is_zero(const std::array<uint8_t, N>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

// Ids are to be unlikely to meet again, not to be secret.
template <size_t N>
void fill_random(std::array<uint8_t, N>& bytes) {
  static_assert(N % sizeof(uint64_t) == 0);
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  do {
    for (size_t i = 0; i < N; i += sizeof(uint64_t)) {
      const uint64_t word = random();
      std::memcpy(bytes.data() + i, &word, sizeof(word));
    }
  } while (is_zero(bytes));
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  if (header.size() < kLength) return std::nullopt;
  std::array<uint8_t, 1> version{};
  std::array<uint8_t, 1> flags{};
  TraceContext context;
  if (header[2] != '-' || header[35] != '-' || header[52] != '-') return std::nullopt;
  if (!read_hex(header.substr(0), version) || !read_hex(header.substr(3), context.trace_id) ||
      !read_hex(header.substr(36), context.span_id) || !read_hex(header.substr(53), flags)) {
    return std::nullopt;
  }
  if (version[0] == 0xff) return std::nullopt;
  if (header.size() > kLength && (version[0] == 0 || header[kLength] != '-')) return std::nullopt;
  if (is_zero(context.trace_id) || is_zero(context.span_id)) return std::nullopt;
  context.flags = flags[0];
  return context;
}

std::string format_traceparent(const TraceContext& context) {
  std::string text = "00-";
  append_hex(text, context.trace_id);
  text += '-';
  append_hex(text, context.span_id);
  text += '-';
  // Of a newer version's flags only the one that version 00 knows is passed on.
  append_hex(text, std::array<uint8_t, 1>{static_cast<uint8_t>(context.flags & kSampled)});
  return text;
}

TraceContext child_of(const TraceContext& parent) {
  TraceContext child = parent;
  fill_random(child.span_id);
  return child;
}

TraceContext new_trace() {
  TraceContext context;
  fill_random(context.trace_id);
  fill_random(context.span_id);
  context.flags = kSampled;
  return context;
}

}  // namespace supernova::telemetry
