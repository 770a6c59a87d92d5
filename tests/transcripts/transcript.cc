#include "transcript.h"

#include <cctype>
#include <sstream>

namespace supernova::transcripts {
namespace {

std::vector<std::string> split_words(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \n") - begin + 1));
}

class Parser {
 public:
  explicit Parser(std::string_view text) {
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) lines_.push_back(line);
  }

  base::Result<Transcript> parse() {
    Transcript transcript;
    while (at_ < lines_.size()) {
      const std::string& line = lines_[at_];
      if (line.starts_with("== ")) {
        SN_ASSIGN(Exchange exchange, parse_exchange());
        transcript.exchanges.push_back(std::move(exchange));
      } else if (line.starts_with("@server ")) {
        for (auto& word : split_words(line.substr(8))) transcript.server_arguments.push_back(word);
        ++at_;
      } else if (line.empty() || line.starts_with("#")) {
        ++at_;
      } else {
        return problem("expected '== title', '@server' or '#'");
      }
    }
    if (transcript.exchanges.empty()) return problem("there is no exchange");
    return transcript;
  }

 private:
  base::Status problem(std::string_view what) const {
    return absl::InvalidArgumentError(base::str_cat("line ", at_ + 1, ": ", what));
  }
  bool ends_part() const {
    return at_ >= lines_.size() || lines_[at_].starts_with("== ") || lines_[at_].starts_with("-->");
  }

  base::Result<Exchange> parse_exchange() {
    Exchange exchange;
    exchange.line = static_cast<int>(at_ + 1);
    exchange.title = lines_[at_++].substr(3);
    if (ends_part()) return problem("the request is missing");
    SN_ASSIGN(exchange.request, parse_part(lines_[at_]));
    if (at_ >= lines_.size() || !lines_[at_].starts_with("--> ")) {
      return problem("the reply (-->) is missing");
    }
    SN_ASSIGN(exchange.reply, parse_part(std::string_view(lines_[at_]).substr(4)));
    return exchange;
  }

  base::Result<Part> parse_part(std::string_view first) {
    Part part;
    part.words = split_words(first);
    if (part.words.empty()) return problem("the first line of a request or reply is empty");
    for (++at_; !ends_part() && !lines_[at_].empty(); ++at_) {
      const size_t colon = lines_[at_].find(": ");
      if (colon == std::string::npos) return problem("expected 'name: value' or an empty line");
      std::string name = lines_[at_].substr(0, colon);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      part.headers.emplace_back(std::move(name), lines_[at_].substr(colon + 2));
    }
    for (; !ends_part(); ++at_) {
      if (lines_[at_].starts_with("#")) continue;
      part.body += lines_[at_] + "\n";
    }
    part.body = trimmed(part.body);
    return part;
  }

  std::vector<std::string> lines_;
  size_t at_ = 0;
};

base::Result<std::string> unhex(std::string_view text) {
  std::string bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) {
      return absl::InvalidArgumentError(base::str_cat("no hex digits: ", text));
    }
    digits += c;
    if (digits.size() < 2) continue;
    bytes += static_cast<char>(std::stoi(digits, nullptr, 16));
    digits.clear();
  }
  if (!digits.empty()) return absl::InvalidArgumentError(base::str_cat("half a byte: ", text));
  return bytes;
}

}  // namespace

std::string_view Part::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

base::Result<Transcript> parse_transcript(std::string_view text) { return Parser(text).parse(); }

base::Result<std::vector<Piece>> parse_body(std::string_view body) {
  std::vector<Piece> pieces;
  const auto is_piece = [](std::string_view line) {
    return line.starts_with("hex: ") || line.starts_with("text: ") || line.starts_with("json: ");
  };
  if (body.empty()) return pieces;
  if (!is_piece(body)) {
    const bool json = body[0] == '{' || (body[0] == '[');
    const bool wildcard = body.starts_with("{{");
    pieces.push_back(
        {json && !wildcard ? Piece::Kind::kJson : Piece::Kind::kText, std::string(body)});
    return pieces;
  }
  std::istringstream in{std::string(body)};
  for (std::string line; std::getline(in, line);) {
    if (!is_piece(line)) return absl::InvalidArgumentError(base::str_cat("no piece: ", line));
    const std::string content = line.substr(line.find(' ') + 1);
    if (line[0] == 'h') {
      SN_ASSIGN(std::string bytes, unhex(content));
      pieces.push_back({Piece::Kind::kBytes, std::move(bytes)});
    } else {
      pieces.push_back({line[0] == 'j' ? Piece::Kind::kJson : Piece::Kind::kText, content});
    }
  }
  return pieces;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += {kDigits[byte >> 4], kDigits[byte & 15], ' '};
  }
  if (!text.empty()) text.pop_back();
  return text;
}

}  // namespace supernova::transcripts
