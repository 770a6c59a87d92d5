// What lies between the HTTP listener and the dialects spoken over it: a whole request with its
// body in aligned memory, and a response made of a head and shared buffers written without a copy.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/request.h"

namespace supernova::protocol::http {

// Who sent a request.
struct Peer {
  std::string address;  // the IP address as text, without the port
  // Of the client certificate, when TLS has verified one; else empty.
  std::string common_name;
  std::string alternative_name;  // its first URI, else its first DNS name
};

// What a handler has worked out from a head.
struct HeadNotes {
  virtual ~HeadNotes() = default;
};

// The head of a request. Clients say the same again and again: requests of one connection that came
// with the same bytes share it.
struct HttpHead {
  std::string method;
  std::string target;  // as received: path and query, still percent-encoded
  // Names in lower case. There is no Content-Encoding: the body has been decoded.
  std::vector<std::pair<std::string, std::string>> headers;
  // For the handler, to be touched within handle() only.
  mutable std::unique_ptr<HeadNotes> notes = nullptr;

  // Value of the first header of that (lower-case) name; null when absent.
  const std::string* header(std::string_view name) const;
};

struct HttpRequest {
  std::shared_ptr<const HttpHead> head;  // never null
  // Decoded (Content-Length tells the coded size); when the request has a valid
  // Inference-Header-Content-Length N, byte N is 64-byte aligned. At least Buffer::kPadding
  // readable bytes follow it.
  tensor::Buffer body;
  std::shared_ptr<tensor::Cancellation> cancellation;  // set when the client goes away
  std::shared_ptr<const Peer> peer;                    // never null

  const std::string& method() const { return head->method; }
  const std::string& target() const { return head->target; }
  const std::string* header(std::string_view name) const { return head->header(name); }
};

struct HttpResponse {
  int status = 200;
  std::string_view content_type;  // of static memory; "" = no Content-Type
  // Bytes of JSON in front of binary data, for Inference-Header-Content-Length; 0 = not said.
  size_t json_size = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                     // written first
  std::vector<tensor::Buffer> buffers;  // written after it, in order, from where they are
  // May be sent compressed when the client accepts it, the status is 200 and it is large enough.
  bool compressible = true;
  bool close = false;  // the connection ends with this response
};

// Called exactly once per request, from any thread.
using Responder = absl::AnyInvocable<void(HttpResponse)>;

// Thread-safe: called from every I/O thread at once. Must not block for long.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void handle(HttpRequest request, Responder respond) = 0;
};

// `{"error": message}`.
HttpResponse error_response(int status, std::string_view message);

}  // namespace supernova::protocol::http
