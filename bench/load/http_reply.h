// Reads one HTTP/1.1 reply from bytes as they come. Little, but strict: the status line,
// Content-Length and chunked must be right, or it is an error. The body is counted, and only its
// first bytes are kept. Used again and again for the replies of one connection; not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::bench {

class HttpReply {
 public:
  // Keeps at most `keep` bytes of a body.
  explicit HttpReply(size_t keep = 512) : keep_(keep) {}

  // Takes what belongs to the reply from the front of `data` and returns how much that was: all of
  // it, unless the reply ends before. After an error the connection is of no use.
  base::Result<size_t> take(std::string_view data);
  // The server closed the connection: fine for a body without a length, an error otherwise.
  base::Status closed();

  bool done() const { return state_ == State::kDone; }
  bool started() const { return state_ != State::kHead || !head_.empty(); }
  int status() const { return status_; }
  bool keep_alive() const { return keep_alive_; }
  uint64_t body_size() const { return body_size_; }
  const std::string& body() const { return body_; }  // its first bytes
  // The value of a field of the head, without regard to case; "" when it is not there.
  std::string_view field(std::string_view name) const;

  void reset();

 private:
  enum class State { kHead, kSized, kUntilClose, kChunkSize, kChunk, kChunkEnd, kTrailer, kDone };

  base::Result<size_t> take_head(std::string_view data);
  base::Result<size_t> take_line(std::string_view data);
  base::Status read_head();
  base::Status read_status_line(std::string_view line);
  base::Status read_field(std::string_view line, bool& has_length, bool& chunked);
  base::Status read_chunk_size();
  size_t take_body(std::string_view data);

  size_t keep_;
  State state_ = State::kHead;
  std::string head_;
  std::string line_;  // of chunk sizes and trailers
  std::string body_;
  uint64_t left_ = 0;  // of the body or chunk
  uint64_t body_size_ = 0;
  int status_ = 0;
  bool keep_alive_ = true;
};

}  // namespace supernova::bench
