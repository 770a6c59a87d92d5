// Numbers, texts and lists one after the other: what server and worker tell each other. Every item
// takes a multiple of eight bytes and texts end with a zero, so that what is read may be used where
// it lies. Reading trusts nothing: a worker may have been taken over by its model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace supernova::engine::worker {

class Writer {
 public:
  // Appends to `out`, which must outlive it and whose size must be a multiple of eight.
  explicit Writer(std::string& out) : out_(out) {}
  void number(uint64_t value);
  void text(std::string_view value);
  void text_or_null(const char* value);
  void numbers(std::span<const int64_t> values);

 private:
  std::string& out_;
};

// After the first thing that isn't there, ok() is false and everything reads as zero, "" or empty.
class Reader {
 public:
  // `bytes` must start at a multiple of eight.
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  uint64_t number();
  int64_t signed_number() { return static_cast<int64_t>(number()); }
  int32_t small_number() { return static_cast<int32_t>(number()); }
  // Zero-terminated, in the bytes given.
  std::string_view text();
  const char* text_or_null();  // null where that was written, and where there is none
  std::span<const int64_t> numbers();
  // How many things follow that take at least `least` bytes each; what can't be there is refused.
  size_t count(size_t least = 8);
  void fail() { ok_ = false, left_ = {}; }
  bool ok() const { return ok_; }
  bool complete() const { return ok_ && left_.empty(); }

 private:
  std::string_view take(uint64_t size);

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace supernova::engine::worker
