// Content codings gzip and deflate (RFC 9110, 1950 to 1952): which one a message asks for, and the
// two directions in pieces. "deflate" means a zlib stream; raw deflate, which many send instead, is
// recognised. Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/http_handler.h"

struct z_stream_s;

namespace supernova::protocol::http {

enum class Coding { kIdentity, kGzip, kDeflate };

std::string_view name_of(Coding coding);

// What the Content-Encoding fields say; nullopt when it is unknown or there are several.
std::optional<Coding> content_coding(const HttpHead& request);
// What is best for a client with these Accept-Encoding fields; identity without any.
Coding acceptable_coding(const HttpHead& request);
// The same for one field's value.
Coding acceptable_coding(std::string_view accept_encoding);

class Decoder {
 public:
  enum class Outcome {
    kNeedsInput,  // all of the input is used
    kNeedsRoom,   // the room is full
    kBroken,      // see error()
  };

  explicit Decoder(Coding coding);
  ~Decoder();
  Decoder(const Decoder&) = delete;

  // Decodes from the front of `input` to the front of `room` and moves both on.
  Outcome decode(std::string_view& input, std::span<std::byte>& room);
  bool is_complete() const { return complete_; }
  const std::string& error() const { return error_; }

 private:
  bool begin(std::string_view& input);
  bool start(int window_bits);
  Outcome broken(std::string_view reason);

  const Coding coding_;
  std::unique_ptr<z_stream_s> stream_;
  bool started_ = false;
  std::string first_bytes_;  // zlib or raw? until two have come
  bool complete_ = false;
  std::string error_;
};

// Fastest level: the time an answer takes matters more here than its last bytes.
class Encoder {
 public:
  explicit Encoder(Coding coding);
  ~Encoder();
  Encoder(const Encoder&) = delete;

  // Both append to `out`. False when there is no memory.
  bool encode(std::string_view input, std::string& out);
  bool finish(std::string& out);

 private:
  bool run(std::string_view input, int flush, std::string& out);

  std::unique_ptr<z_stream_s> stream_;
  bool ok_ = false;
};

}  // namespace supernova::protocol::http
