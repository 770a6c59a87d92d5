#include "import/caffe/text_format.h"

#include <algorithm>

namespace supernova::import::caffe {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kShown = 30;

bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_word_start(c) || is_digit(c); }
// What may stand in a number or bare word after its first character.
bool is_scalar(char c) { return is_word(c) || c == '.'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  base::Result<std::unique_ptr<TextMessage>> parse() {
    auto root = std::make_unique<TextMessage>();
    SN_TRY(parse_fields(*root, '\0', 0));
    return root;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_end() const { return at_ == text_.size(); }

  void advance() {
    if (text_[at_] == '\n') {
      ++line_;
      line_start_ = at_ + 1;
    }
    ++at_;
  }

  void skip_space() {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n') advance();
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v') {
        advance();
      } else {
        return;
      }
    }
  }

  TextPosition here() const { return {line_, static_cast<uint32_t>(at_ - line_start_) + 1}; }

  base::Status error(std::string_view reason) const {
    return absl::InvalidArgumentError(base::str_cat(to_string(here()), ": ", reason));
  }

  base::Status unexpected(std::string_view wanted) const {
    if (at_end()) return error(base::str_cat("the text ends where ", wanted, " should be"));
    std::string_view rest = text_.substr(at_, kShown);
    rest = rest.substr(0, rest.find_first_of("\r\n"));
    const bool printable =
        std::all_of(rest.begin(), rest.end(), [](char c) { return c >= ' ' && c < 127; });
    return error(base::str_cat("expected ", wanted,
                               printable ? base::str_cat(", not '", rest, "'") : std::string()));
  }

  base::Status parse_fields(TextMessage& message, char close, int depth) {
    while (true) {
      skip_space();
      if (at_end()) {
        if (close == '\0') return absl::OkStatus();
        return error(base::str_cat("the text ends before '", close, "'"));
      }
      if (close != '\0' && peek() == close) {
        advance();
        return absl::OkStatus();
      }
      SN_TRY(parse_field(message, depth));
      skip_space();
      if (peek() == ',' || peek() == ';') advance();
    }
  }

  base::Status parse_field(TextMessage& message, int depth) {
    const size_t start = at_;
    if (peek() == '[') {  // an extension or Any: kept under its bracketed name
      while (!at_end() && peek() != ']' && peek() != '\n') advance();
      if (peek() != ']') return unexpected("']'");
      advance();
    } else {
      if (!is_word_start(peek())) return unexpected("a field's name");
      while (is_word(peek())) advance();
    }
    const std::string_view name = text_.substr(start, at_ - start);
    skip_space();
    const bool colon = peek() == ':';
    if (colon) {
      advance();
      skip_space();
    }
    if (peek() == '[') return parse_list(message, name, depth);
    if (!colon && peek() != '{' && peek() != '<') return unexpected("':' or '{'");
    return parse_value(message, name, depth);
  }

  base::Status parse_list(TextMessage& message, std::string_view name, int depth) {
    advance();
    skip_space();
    if (peek() == ']') {
      advance();
      return absl::OkStatus();
    }
    while (true) {
      SN_TRY(parse_value(message, name, depth));
      skip_space();
      if (peek() == ']') {
        advance();
        return absl::OkStatus();
      }
      if (peek() != ',') return unexpected("',' or ']'");
      advance();
      skip_space();
    }
  }

  base::Status parse_value(TextMessage& message, std::string_view name, int depth) {
    TextField field;
    field.name = name;
    field.position = here();
    const char c = peek();
    if (c == '{' || c == '<') {
      if (depth >= kMaxDepth) return error("messages are nested too deeply");
      advance();
      field.kind = TextField::Kind::kMessage;
      field.message = std::make_unique<TextMessage>();
      SN_TRY(parse_fields(*field.message, c == '{' ? '}' : '>', depth + 1));
    } else if (c == '"' || c == '\'') {
      field.kind = TextField::Kind::kString;
      SN_TRY(parse_string(field));
    } else {
      SN_TRY(parse_scalar(field));
    }
    message.fields.push_back(std::move(field));
    return absl::OkStatus();
  }

  // Adjacent pieces are one string.
  base::Status parse_string(TextField& field) {
    const size_t start = at_;
    size_t end = at_;
    while (peek() == '"' || peek() == '\'') {
      const char quote = peek();
      advance();
      while (!at_end() && peek() != quote) {
        if (peek() == '\n') return error("a string ends before its closing quote");
        if (peek() == '\\') advance();
        if (!at_end()) advance();
      }
      if (at_end()) return error("the text ends inside a string");
      advance();
      end = at_;
      skip_space();
    }
    field.text = text_.substr(start, end - start);
    return absl::OkStatus();
  }

  base::Status parse_scalar(TextField& field) {
    const size_t start = at_;
    if (peek() == '-') {
      advance();
      skip_space();
    }
    if (!is_scalar(peek())) return unexpected("a value");
    while (!at_end() && (is_scalar(peek()) || is_exponent_sign())) advance();
    field.text = text_.substr(start, at_ - start);
    return absl::OkStatus();
  }

  bool is_exponent_sign() const {
    const char c = peek();
    return (c == '+' || c == '-') && at_ > 0 && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
  }

  std::string_view text_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  size_t line_start_ = 0;
};

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    default:
      return c;
  }
}

// The character behind a backslash at text[at]; moves `at` past it.
char resolve_escape(std::string_view text, size_t& at) {
  const char c = text[at++];
  if (c >= '0' && c <= '7') {
    int value = c - '0';
    for (int i = 0; i < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i) {
      value = value * 8 + (text[at++] - '0');
    }
    return static_cast<char>(value);
  }
  if ((c == 'x' || c == 'X') && at < text.size() && hex_value(text[at]) >= 0) {
    int value = 0;
    for (int i = 0; i < 2 && at < text.size() && hex_value(text[at]) >= 0; ++i) {
      value = value * 16 + hex_value(text[at++]);
    }
    return static_cast<char>(value);
  }
  return simple_escape(c);
}

}  // namespace

std::string to_string(TextPosition position) {
  return base::str_cat(position.line, ":", position.column);
}

const TextField* TextMessage::find(std::string_view name) const {
  const auto at = std::find_if(fields.rbegin(), fields.rend(),
                               [&](const TextField& field) { return field.name == name; });
  return at != fields.rend() ? &*at : nullptr;
}

size_t TextMessage::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(
      fields.begin(), fields.end(), [&](const TextField& field) { return field.name == name; }));
}

std::string unquoted(const TextField& field) {
  if (field.kind != TextField::Kind::kString) return std::string(field.text);
  std::string out;
  const std::string_view text = field.text;
  size_t at = 0;
  while (at < text.size()) {
    const char quote = text[at++];
    if (quote == '#') {  // a comment between two pieces
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (quote != '"' && quote != '\'') continue;
    while (at < text.size() && text[at] != quote) {
      const char c = text[at++];
      out += c == '\\' && at < text.size() ? resolve_escape(text, at) : c;
    }
    ++at;
  }
  return out;
}

base::Result<std::unique_ptr<TextMessage>> parse_text(std::string_view text) {
  if (text.size() > kMaxText) {
    return absl::InvalidArgumentError(base::str_cat(
        "the text has ", text.size(), " bytes; a net's description has ", kMaxText, " at most"));
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return Parser(text).parse();
}

}  // namespace supernova::import::caffe
