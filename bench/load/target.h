// Who is asked: a server of the Open Inference Protocol and a model on it, and what it says of the
// model's inputs.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace supernova::bench {

struct Target {
  bool grpc = false;
  std::string host;
  std::string port;
  std::string prefix;   // path in front of /v2, "" or "/something"
  std::string model;    // "" = not said
  std::string version;  // "" = the server chooses
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every request

  std::string address() const;  // host:port, brackets around an IPv6 host
  std::string url() const;
};

// http://HOST[:PORT][/PREFIX][/v2/models/MODEL[/versions/VERSION]] or grpc://HOST[:PORT][/MODEL];
// ports 8000 and 8001 unless said. Refuses other schemes with what to do instead.
base::Result<Target> parse_target(std::string_view url);

// A URL rather than a model's file.
bool looks_like_url(std::string_view text);

// The inputs of the model as the server declares them. Where the target names no model, the only
// one that a server over HTTP has is taken and put into the target.
base::Result<std::vector<tensor::TensorInfo>> describe(Target& target);

}  // namespace supernova::bench
