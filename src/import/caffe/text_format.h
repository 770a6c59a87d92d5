// Protocol Buffers' text form, read without a schema: a tree of named fields whose values keep
// their text and their place. Views into the text, which must outlive the tree. Source of the
// grammar: the Text Format Language Specification of Protocol Buffers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::import::caffe {

class TextMessage;

struct TextPosition {
  uint32_t line = 1;
  uint32_t column = 1;
};
// "12:5"
std::string to_string(TextPosition position);

struct TextField {
  enum class Kind : uint8_t {
    kScalar,   // a number or a bare word, as written, a sign included
    kString,   // the quoted pieces, as written
    kMessage,  // `message`
  };
  std::string_view name;
  std::string_view text;
  std::unique_ptr<TextMessage> message;
  TextPosition position;  // of the value
  Kind kind = Kind::kScalar;
};

class TextMessage {
 public:
  std::vector<TextField> fields;  // a list `name: [a, b]` is two fields

  // The last field of this name, as protobuf takes a repeated singular field; null without one.
  const TextField* find(std::string_view name) const;
  size_t count(std::string_view name) const;
};

// The content of a string field, escapes resolved; a bare word as it is.
std::string unquoted(const TextField& field);

// The largest nets are described in a megabyte or two.
inline constexpr size_t kMaxText = size_t{4} << 20U;
// Refuses, with line and column: what is not text format, messages nested deeper than 64, text of
// more than kMaxText bytes.
base::Result<std::unique_ptr<TextMessage>> parse_text(std::string_view text);

}  // namespace supernova::import::caffe
