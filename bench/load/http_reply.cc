#include "load/http_reply.h"

#include <algorithm>
#include <charconv>

namespace supernova::bench {
namespace {

constexpr size_t kMostHead = 65536;
constexpr size_t kMostLine = 4096;

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

base::Status malformed(std::string_view what, std::string_view text) {
  return absl::DataLossError(
      base::str_cat("the reply is not HTTP/1.1: ", what, " '", text.substr(0, 80), "'"));
}

}  // namespace

void HttpReply::reset() {
  state_ = State::kHead;
  head_.clear();
  line_.clear();
  body_.clear();
  left_ = body_size_ = 0;
  status_ = 0;
  keep_alive_ = true;
}

base::Result<size_t> HttpReply::take(std::string_view data) {
  size_t used = 0;
  while (used < data.size() && state_ != State::kDone) {
    const std::string_view rest = data.substr(used);
    switch (state_) {
      case State::kHead: {
        SN_ASSIGN(const size_t taken, take_head(rest));
        used += taken;
        break;
      }
      case State::kSized:
      case State::kChunk:
      case State::kUntilClose:
        used += take_body(rest);
        break;
      default: {
        SN_ASSIGN(const size_t taken, take_line(rest));
        used += taken;
      }
    }
  }
  return used;
}

base::Status HttpReply::closed() {
  if (state_ == State::kUntilClose) state_ = State::kDone;
  if (done()) return {};
  return absl::UnavailableError(started() ? "the server closed the connection inside a reply"
                                          : "the server closed the connection without a reply");
}

base::Result<size_t> HttpReply::take_head(std::string_view data) {
  // The end may lie across two pieces.
  const size_t had = head_.size();
  const size_t from = had < 3 ? 0 : had - 3;
  head_.append(data.substr(0, kMostHead + 4 - std::min(had, kMostHead)));
  const size_t end = head_.find("\r\n\r\n", from);
  if (end == std::string::npos) {
    if (head_.size() > kMostHead) return malformed("no end of the head", head_);
    // What is no HTTP at all is told at once.
    const std::string_view start = std::string_view(head_).substr(0, 7);
    if (start != std::string_view("HTTP/1.").substr(0, start.size())) {
      return malformed("it starts with", head_);
    }
    return data.size();
  }
  head_.resize(end + 4);
  SN_TRY(read_head());
  return end + 4 - had;
}

base::Status HttpReply::read_head() {
  const std::string_view head = head_;
  size_t at = head.find("\r\n");
  SN_TRY(read_status_line(head.substr(0, at)));
  bool has_length = false;
  bool chunked = false;
  left_ = 0;
  for (at += 2; at + 2 < head.size();) {
    const size_t end = head.find("\r\n", at);
    SN_TRY(read_field(head.substr(at, end - at), has_length, chunked));
    at = end + 2;
  }
  if (chunked && has_length) return malformed("both Content-Length and chunked", head);
  if (status_ >= 100 && status_ < 200) {
    if (status_ == 101) return malformed("a change of protocol", head);
    head_.clear();  // an interim reply: the real one follows
    return {};
  }
  if (status_ == 204 || status_ == 304) {
    state_ = State::kDone;
  } else if (chunked) {
    state_ = State::kChunkSize;
  } else if (has_length) {
    state_ = left_ == 0 ? State::kDone : State::kSized;
  } else {
    state_ = State::kUntilClose;
    keep_alive_ = false;
  }
  return {};
}

base::Status HttpReply::read_status_line(std::string_view line) {
  const bool shape = line.size() >= 12 &&
                     (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")) &&
                     (line.size() == 12 || line[12] == ' ');
  if (!shape || !base::parse_whole(line.substr(9, 3), status_) || status_ < 100 || status_ > 599) {
    return malformed("status line", line);
  }
  keep_alive_ = line[7] == '1';
  return {};
}

base::Status HttpReply::read_field(std::string_view line, bool& has_length, bool& chunked) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0 ||
      line.substr(0, colon).find_first_of(" \t\r\n") != std::string_view::npos) {
    return malformed("header field", line);
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_name(name, "content-length")) {
    uint64_t length = 0;
    if (!base::parse_whole(value, length) || (has_length && length != left_)) {
      return malformed("Content-Length", value);
    }
    left_ = length;
    has_length = true;
  } else if (same_name(name, "transfer-encoding")) {
    if (!same_name(value, "chunked") || chunked) return malformed("Transfer-Encoding", value);
    chunked = true;
  } else if (same_name(name, "connection")) {
    if (same_name(value, "close")) keep_alive_ = false;
    if (same_name(value, "keep-alive")) keep_alive_ = true;
  }
  return {};
}

size_t HttpReply::take_body(std::string_view data) {
  const size_t take = state_ == State::kUntilClose
                          ? data.size()
                          : static_cast<size_t>(std::min<uint64_t>(left_, data.size()));
  body_.append(data.substr(0, std::min(take, keep_ - std::min(keep_, body_.size()))));
  body_size_ += take;
  if (state_ == State::kUntilClose) return take;
  left_ -= take;
  if (left_ == 0) state_ = state_ == State::kSized ? State::kDone : State::kChunkEnd;
  return take;
}

// The lines between chunks: sizes, the empty one after each, trailers.
base::Result<size_t> HttpReply::take_line(std::string_view data) {
  const size_t end = data.find('\n');
  const size_t taken = end == std::string_view::npos ? data.size() : end + 1;
  line_.append(data.substr(0, taken));
  if (line_.size() > kMostLine) return malformed("line of a chunked body", line_);
  if (end == std::string_view::npos) return taken;
  if (!line_.ends_with("\r\n")) return malformed("line of a chunked body", line_);
  line_.resize(line_.size() - 2);
  if (state_ == State::kChunkSize) {
    SN_TRY(read_chunk_size());
  } else if (state_ == State::kChunkEnd) {
    if (!line_.empty()) return malformed("after a chunk", line_);
    state_ = State::kChunkSize;
  } else if (line_.empty()) {
    state_ = State::kDone;
  }
  line_.clear();
  return taken;
}

base::Status HttpReply::read_chunk_size() {
  const std::string_view digits = trimmed(std::string_view(line_).substr(0, line_.find(';')));
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (digits.empty() || end.ec != std::errc() || end.ptr != digits.data() + digits.size()) {
    return malformed("chunk size", line_);
  }
  state_ = left_ == 0 ? State::kTrailer : State::kChunk;
  return {};
}

std::string_view HttpReply::field(std::string_view name) const {
  const std::string_view head = head_;
  for (size_t at = head.find("\r\n"); at != std::string_view::npos;) {
    const size_t begin = at + 2;
    at = head.find("\r\n", begin);
    if (at == std::string_view::npos) break;
    const std::string_view line = head.substr(begin, at - begin);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_name(line.substr(0, colon), name)) {
      return trimmed(line.substr(colon + 1));
    }
  }
  return {};
}

}  // namespace supernova::bench
