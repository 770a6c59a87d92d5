// A transcript file: options of the server it is played against, and exchanges in their order. The
// format is in README.md. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::transcripts {

using Headers = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct Part {
  std::vector<std::string> words;  // of the first line: {"POST", "/v2/..."}, {"200"}
  Headers headers;
  std::string body;  // as written

  std::string_view header(std::string_view name) const;  // "" when absent
};

struct Exchange {
  std::string title;
  int line = 0;  // where it begins
  Part request;
  Part reply;
};

struct Transcript {
  std::vector<std::string> server_arguments;
  std::vector<Exchange> exchanges;
};

base::Result<Transcript> parse_transcript(std::string_view text);

// A body in pieces: each line of the form `hex: 00 01`, `text: abc` or `json: {...}` is one; a body
// whose first line is none of these is one piece of text (or JSON, when it begins with { or [).
struct Piece {
  enum class Kind { kText, kJson, kBytes };
  Kind kind = Kind::kText;
  std::string content;  // bytes decoded
};
base::Result<std::vector<Piece>> parse_body(std::string_view body);
std::string hex(std::string_view bytes);

}  // namespace supernova::transcripts
