// What can be asked over HTTP, as data. Dispatch, the answers 404 and 405, who may ask, and the
// OpenAPI document all come from tables of Route.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "service/access.h"

namespace supernova::protocol::oip {

struct Call;

// What a route reads as its body.
struct Body {
  std::string_view schema;  // "" = none is read
  bool required = false;
};

struct Route {
  std::string_view method;  // "GET" (answers HEAD too) or "POST"
  // "/v2/models/{model}[/versions/{version}]/ready". {model}, {region} and {repository} take a
  // percent-encoded name, {version} digits; literal text may follow a name in its segment. What
  // [] holds may be left out.
  std::string_view pattern;
  service::Api api;     // the rights it needs
  std::string_view id;  // operationId
  std::string_view summary;
  Body body;
  std::string_view reply;  // schema of what 200 carries; "" = nothing
  void (*answer)(Call call) = nullptr;
};

// What a dialect serves.
struct RouteTable {
  std::span<const Route> routes;
  std::string_view schemas;  // of their bodies: members of a JSON object, by name
};

// The parts of a path that stand for something; "" = not said.
struct PathArguments {
  std::string model;       // decoded
  std::string version;     // digits
  std::string region;      // decoded
  std::string repository;  // decoded
};

class Router {
 public:
  // A path of the tables, written out: without [], with all routes that share it.
  struct Path {
    std::string text;
    std::string variant;  // what was taken from []: "version"; "" = nothing
    std::vector<const Route*> routes;
  };

  // The first pattern that fits a path decides. The tables must outlive the router.
  explicit Router(std::span<const RouteTable> tables);

  struct Match {
    const Route* route = nullptr;
    std::string allow;  // without a route: the methods the path takes; "" = there is no such path
    PathArguments arguments;
  };
  // Paths match as a whole; a query is ignored. INVALID_ARGUMENT when a name is no name: a broken
  // escape, control characters, '/', or bytes that are not UTF-8.
  base::Result<Match> match(std::string_view method, std::string_view target) const;

  const std::vector<Path>& paths() const { return paths_; }

 private:
  struct Segment {
    std::string literal;  // all of the segment, or what follows the name
    std::string PathArguments::*name = nullptr;
  };

  void add(std::string text, std::string variant, const Route& route);

  std::vector<Path> paths_;
  std::vector<std::vector<Segment>> segments_;  // of paths_
};

}  // namespace supernova::protocol::oip
