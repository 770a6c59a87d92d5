#include "protocol/oip/call.h"

namespace supernova::protocol::oip {

int http_status(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return 503;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
      return 500;
    default:
      return 400;
  }
}

http::HttpResponse error_reply(const base::Status& status) {
  http::HttpResponse response =
      http::error_response(http_status(status.code()), base::message(status));
  if (response.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

http::HttpResponse json_reply(std::string body) {
  http::HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

http::HttpResponse empty_reply() { return {}; }

http::HttpResponse done_reply(const base::Status& status) {
  return status.ok() ? empty_reply() : error_reply(status);
}

bool accepts_json(const http::HttpRequest& request) {
  for (const auto& [name, value] : request.head->headers) {
    if (name != "accept") continue;
    for (const char* type : {"*/*", "application/*", "application/json"}) {
      if (value.find(type) != std::string::npos) return true;
    }
  }
  return false;
}

ForwardHeaders forward_headers(service::HeaderForward chosen) {
  if (!chosen.enabled()) return {};
  return [chosen = std::move(chosen)](const http::HttpRequest& request,
                                      tensor::Parameters& parameters) -> base::Status {
    for (const auto& [name, value] : request.head->headers) {
      SN_TRY(chosen.forward(name, value, parameters));
    }
    return {};
  };
}

base::Status complete_request(const Call& call, tensor::Request& request) {
  request.model_version = call.path.version;
  request.cancellation = call.request.cancellation;
  request.may_run_here = true;
  if (const std::string* trace = call.request.header("traceparent")) {
    request.trace_context = *trace;
  }
  if (!call.forward) return {};
  return call.forward(call.request, request.parameters);
}

base::Result<model::VersionHandle> version_for_inference(const Call& call) {
  SN_TRY(service::check_right(call.caller, service::Api::kInference, call.path.model));
  return call.service.model(call.path.model, call.path.version);
}

}  // namespace supernova::protocol::oip
