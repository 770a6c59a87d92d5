// A request on its way to its endpoint, and the answers that endpoints share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "protocol/http/http_handler.h"
#include "protocol/oip/known_request.h"
#include "protocol/oip/route.h"
#include "service/header_forward.h"
#include "service/service.h"

namespace supernova::protocol::oip {

// Copies chosen headers of a request into its parameters; an error refuses the request.
// Thread-safe.
using ForwardHeaders = std::function<base::Status(const http::HttpRequest&, tensor::Parameters&)>;
// Those that the operator's pattern chooses; empty when it chooses none.
ForwardHeaders forward_headers(service::HeaderForward chosen);

// What the head of a request says, and what its JSON said last; of one connection.
struct Notes final : http::HeadNotes {
  const Route* route = nullptr;
  std::string allow;  // without a route, as in Router::Match
  PathArguments path;
  KnownRequest known_request;
};

struct Call {
  service::Service& service;
  const ForwardHeaders& forward;  // may be empty
  const std::string& openapi;     // the document of everything served
  service::Caller caller;         // admitted
  const PathArguments& path;      // as long as the request's head
  KnownRequest* known_request;    // to be touched before the call is handed on; may be null
  http::HttpRequest request;
  http::Responder respond;  // to be called once
};

// The HTTP status of an error.
int http_status(absl::StatusCode code);

// `{"error": message}`; 401 says how to be known.
http::HttpResponse error_reply(const base::Status& status);
http::HttpResponse json_reply(std::string body);
http::HttpResponse empty_reply();  // 200
// What a call that only succeeds or fails is answered with.
http::HttpResponse done_reply(const base::Status& status);
template <typename T>
http::HttpResponse json_or_error(const base::Result<T>& result, std::string (*json)(const T&)) {
  return result.ok() ? json_reply(json(*result)) : error_reply(result.status());
}

// Whether the client would read JSON: an Accept field admits it.
bool accepts_json(const http::HttpRequest& request);

// Puts what the call brings besides its body into a request: version, trace context, forwarded
// headers, cancellation.
base::Status complete_request(const Call& call, tensor::Request& request);

// The version that a call is about, for callers that may infer on it.
base::Result<model::VersionHandle> version_for_inference(const Call& call);

}  // namespace supernova::protocol::oip
