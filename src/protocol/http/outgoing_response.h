// A response on its way out: compressed slice by slice where the client asked for it and it pays,
// then a head and shared memory to be written. Not thread-safe.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "protocol/http/coding.h"
#include "protocol/http/http_handler.h"

namespace supernova::protocol::http {

class OutgoingResponse {
 public:
  struct Framing {
    bool keep_alive = true;
    bool http_1_1 = true;
    bool is_head = false;  // the answer to HEAD: no body
  };

  // Bodies below this many bytes are not worth it.
  static constexpr size_t kCodingThreshold = 1024;

  void begin(HttpResponse response, const Framing& framing, Coding coding);
  // While true, call code_slice(): a slice takes about a millisecond, and an I/O thread serves its
  // other connections in between.
  bool is_coding() const { return encoder_ != nullptr; }
  void code_slice();

  // Valid once nothing is left to code.
  std::span<const iovec> unwritten() const {
    return {unwritten_.data() + next_, unwritten_.size() - next_};
  }
  void consume(size_t sent);
  void clear();   // gives the response's memory back
  void forget();  // and the head's, which the next one could use

 private:
  void add_piece(const void* data, size_t size);
  std::string_view next_slice() const;
  void end_coding(bool use_it);
  void frame();

  HttpResponse response_;
  Framing framing_;
  Coding coding_ = Coding::kIdentity;
  std::unique_ptr<Encoder> encoder_;
  std::string coded_;
  size_t plain_size_ = 0;
  size_t taken_ = 0;         // of plain_size_, by the encoder
  size_t piece_ = 0;         // 0 = the body, then the buffers
  size_t piece_offset_ = 0;  // in that piece
  std::string head_;
  std::vector<iovec> unwritten_;
  size_t next_ = 0;
};

}  // namespace supernova::protocol::http
