// Reads one JSON text (RFC 8259, strictly) from front to back, without a tree: the caller says what
// it expects next. The first error sticks; every function returns false from then on. The text must
// be valid UTF-8 (simdjson checks that, many times faster than it can be done on the way). Not
// thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "protocol/oip/json_numbers.h"

namespace supernova::protocol::oip {

class JsonReader {
 public:
  static constexpr int kMaxDepth = 100;

  explicit JsonReader(std::string_view text)
      : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  // The next character that is not white space; 0 at the end of the text.
  char peek() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    return at_ == end_ ? '\0' : *at_;
  }
  // Past a character seen by peek().
  void advance() { ++at_; }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  std::string_view rest() const { return {at_, remaining()}; }

  // for (bool first = true; reader.next_member(first, key);) { read or skip the value }
  // Reads `{`, `,` or `}` and the key. False after the last member, or on an error.
  bool next_member(bool& first, std::string& key);
  // The same for arrays.
  bool next_element(bool& first);

  bool read_string(std::string& out);  // replaces `out`
  bool append_string(std::string& out);
  bool read_bool(bool& out);
  // A number as it is written; `whole` when it has neither fraction nor exponent.
  bool read_number(std::string_view& token, bool& whole);
  // Where an element of an array is due: the plain numbers that come next, which may be none.
  template <typename T>
  NumberRun read_numbers(T* values, size_t room) {
    return take(read_number_run(rest(), values, room));
  }
  NumberRun skip_numbers() { return take(skip_number_run(rest())); }
  // Any value, checked to its end; `raw` is its text.
  bool skip_value(std::string_view& raw);
  bool at_end();  // nothing but white space is left

  bool fail(std::string_view what);  // returns false
  bool ok() const { return error_.empty(); }
  // INVALID_ARGUMENT with the first error and where it is.
  base::Status status() const;

 private:
  NumberRun take(const NumberRun& run) {
    at_ += run.size;
    return run;
  }
  bool read_escape(std::string& out);
  bool read_hex4(uint32_t& code);
  bool read_literal(std::string_view literal);
  bool skip_scalar();

  const char* begin_;
  const char* at_;
  const char* end_;
  std::string scratch_;
  std::string error_;
};

}  // namespace supernova::protocol::oip
