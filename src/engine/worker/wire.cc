#include "engine/worker/wire.h"

#include <cstring>

namespace supernova::engine::worker {
namespace {

constexpr uint64_t kNull = ~uint64_t{0};

}  // namespace

void Writer::number(uint64_t value) {
  out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void Writer::text(std::string_view value) {
  number(value.size());
  out_.append(value);
  out_.append(8 - value.size() % 8, '\0');  // at least one zero
}

void Writer::text_or_null(const char* value) { value != nullptr ? text(value) : number(kNull); }

void Writer::numbers(std::span<const int64_t> values) {
  number(values.size());
  out_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

std::string_view Reader::take(uint64_t size) {
  if (size > left_.size()) {
    fail();
    return {};
  }
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  return taken;
}

uint64_t Reader::number() {
  const std::string_view bytes = take(8);
  uint64_t value = 0;
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

const char* Reader::text_or_null() {
  const uint64_t size = number();
  if (!ok_ || size == kNull) return nullptr;
  if (size >= left_.size()) {
    fail();
    return nullptr;
  }
  const std::string_view bytes = take(size / 8 * 8 + 8);
  if (!ok_ || bytes[size] != '\0') {
    fail();
    return nullptr;
  }
  return bytes.data();
}

std::string_view Reader::text() {
  const std::string_view before = left_;
  const char* const bytes = text_or_null();
  if (bytes == nullptr) {
    fail();
    return "";
  }
  uint64_t size = 0;
  std::memcpy(&size, before.data(), sizeof(size));
  return {bytes, size};
}

std::span<const int64_t> Reader::numbers() {
  const uint64_t count = number();
  if (count > left_.size() / sizeof(int64_t)) {
    fail();
    return {};
  }
  const std::string_view bytes = take(count * sizeof(int64_t));
  return {reinterpret_cast<const int64_t*>(bytes.data()), count};
}

size_t Reader::count(size_t least) {
  const uint64_t count = number();
  if (count > left_.size() / least) {
    fail();
    return 0;
  }
  return count;
}

}  // namespace supernova::engine::worker
