// The status line and header fields of a response.
#pragma once

#include <string>

#include "protocol/http/http_handler.h"

namespace supernova::protocol::http {

// Bytes of body and buffers together.
size_t content_length(const HttpResponse& response);

// Appends the head, with Content-Length and, unless it is the default of the request's version,
// what happens to the connection. Names and values that would break the head are left out.
void append_head(std::string& out, const HttpResponse& response, bool keep_alive, bool http_1_1);

}  // namespace supernova::protocol::http
