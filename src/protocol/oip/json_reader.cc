#include "protocol/oip/json_reader.h"

namespace supernova::protocol::oip {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

bool JsonReader::fail(std::string_view what) {
  if (error_.empty()) {
    error_ = base::str_cat(what, " at byte ", static_cast<size_t>(at_ - begin_));
    end_ = at_;  // nothing more is read
  }
  return false;
}

base::Status JsonReader::status() const {
  if (error_.empty()) return {};
  return absl::InvalidArgumentError(error_);
}

bool JsonReader::next_member(bool& first, std::string& key) {
  if (first) {
    if (peek() != '{') return fail("expected an object");
    advance();
    first = false;
    if (peek() == '}') return advance(), false;
  } else {
    const char c = peek();
    if (c == '}') return advance(), false;
    if (c != ',') return fail("expected ',' or '}'");
    advance();
  }
  if (peek() != '"') return fail("expected a key in quotes");
  if (!read_string(key)) return false;
  if (peek() != ':') return fail("expected ':'");
  advance();
  return true;
}

bool JsonReader::next_element(bool& first) {
  const char c = peek();
  if (first) {
    if (c != '[') return fail("expected an array");
    advance();
    first = false;
    if (peek() == ']') return advance(), false;
    return true;
  }
  if (c == ']') return advance(), false;
  if (c != ',') return fail("expected ',' or ']'");
  advance();
  return true;
}

bool JsonReader::read_string(std::string& out) {
  out.clear();
  return append_string(out);
}

bool JsonReader::append_string(std::string& out) {
  if (peek() != '"') return fail("expected a string");
  advance();
  for (;;) {
    const char* const run = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20) {
      ++at_;
    }
    out.append(run, at_);
    if (at_ == end_) return fail("the text ends inside a string");
    if (*at_ == '"') return advance(), true;
    if (*at_ != '\\') return fail("control character in a string; escape it");
    advance();
    if (!read_escape(out)) return false;
  }
}

bool JsonReader::read_escape(std::string& out) {
  if (at_ == end_) return fail("the text ends inside a string");
  const char c = *at_;
  advance();
  switch (c) {
    case '"':
    case '\\':
    case '/':
      out += c;
      return true;
    case 'b':
      out += '\b';
      return true;
    case 'f':
      out += '\f';
      return true;
    case 'n':
      out += '\n';
      return true;
    case 'r':
      out += '\r';
      return true;
    case 't':
      out += '\t';
      return true;
    case 'u':
      break;
    default:
      return fail("unknown escape in a string");
  }
  uint32_t code = 0;
  if (!read_hex4(code)) return false;
  if (code >= 0xDC00 && code <= 0xDFFF) return fail("unpaired surrogate in a string");
  if (code >= 0xD800 && code <= 0xDBFF) {
    uint32_t low = 0;
    if (remaining() < 2 || at_[0] != '\\' || at_[1] != 'u') {
      return fail("unpaired surrogate in a string");
    }
    at_ += 2;
    if (!read_hex4(low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return fail("unpaired surrogate in a string");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, code);
  return true;
}

bool JsonReader::read_hex4(uint32_t& code) {
  if (remaining() < 4) return fail("the text ends inside a string");
  code = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at_[i];
    uint32_t digit = 0;
    if (is_digit(c)) {
      digit = static_cast<uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<uint32_t>(c - 'A' + 10);
    } else {
      return fail("\\u needs four hexadecimal digits");
    }
    code = code * 16 + digit;
  }
  at_ += 4;
  return true;
}

bool JsonReader::read_literal(std::string_view literal) {
  if (std::string_view(at_, remaining()).substr(0, literal.size()) != literal) {
    return fail("expected a value");
  }
  at_ += literal.size();
  return true;
}

bool JsonReader::read_bool(bool& out) {
  const char c = peek();
  if (c != 't' && c != 'f') return fail("expected true or false");
  out = c == 't';
  return read_literal(out ? "true" : "false");
}

bool JsonReader::read_number(std::string_view& token, bool& whole) {
  peek();
  const char* const start = at_;
  const auto digits = [&] {
    const char* const from = at_;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return at_ != from;
  };
  whole = true;
  if (at_ != end_ && *at_ == '-') ++at_;
  if (at_ != end_ && *at_ == '0') {
    ++at_;
    if (at_ != end_ && is_digit(*at_)) return fail("a number must not start with 0");
  } else if (!digits()) {
    return fail("expected a number");
  }
  if (at_ != end_ && *at_ == '.') {
    ++at_;
    whole = false;
    if (!digits()) return fail("expected digits after the decimal point");
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    ++at_;
    whole = false;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!digits()) return fail("expected digits in the exponent");
  }
  token = {start, static_cast<size_t>(at_ - start)};
  return true;
}

bool JsonReader::skip_scalar() {
  std::string_view token;
  bool whole = false;
  switch (peek()) {
    case '"':
      return read_string(scratch_);
    case 't':
      return read_literal("true");
    case 'f':
      return read_literal("false");
    case 'n':
      return read_literal("null");
    case '\0':
      return fail("the text ends where a value was expected");
    default:
      return read_number(token, whole);
  }
}

bool JsonReader::skip_value(std::string_view& raw) {
  peek();
  const char* const start = at_;
  std::string open;  // the closing brackets due, innermost last
  bool first = false;
  bool value_due = true;  // the comma before it has been read
  do {
    if (!value_due) {
      const bool more = open.back() == '}' ? next_member(first, scratch_) : next_element(first);
      if (!ok()) return false;
      if (!more) {
        open.pop_back();
        continue;
      }
    }
    value_due = false;
    const char c = peek();
    if (!open.empty() && open.back() == ']' && (c == '-' || is_digit(c))) {
      const NumberRun run = skip_numbers();
      if (run.count > 0) {
        value_due = run.value_due;
        continue;
      }
    }
    if (c == '{' || c == '[') {
      if (open.size() >= kMaxDepth) return fail("more than 100 levels of nesting");
      open += c == '{' ? '}' : ']';
      first = true;
    } else if (!skip_scalar()) {
      return false;
    }
  } while (!open.empty());
  raw = {start, static_cast<size_t>(at_ - start)};
  return true;
}

bool JsonReader::at_end() { return peek() == '\0' && at_ == end_; }

}  // namespace supernova::protocol::oip
