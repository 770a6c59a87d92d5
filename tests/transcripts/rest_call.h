// One HTTP/1.1 request on a connection of its own, and the whole reply.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "transcript.h"

namespace supernova::transcripts {

struct RestReply {
  int status = 0;
  Headers headers;
  std::string body;  // without chunks

  const std::string* header(std::string_view name) const;  // null when absent
};

// `address`: "127.0.0.1:8000". Content-Length is set; {{json}} as the value of a header stands for
// the length of the body's first piece.
base::Result<RestReply> call_rest(const std::string& address, const Part& request);

}  // namespace supernova::transcripts
