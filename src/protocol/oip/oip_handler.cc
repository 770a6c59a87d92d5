#include "protocol/oip/oip_handler.h"

#include <limits>

#include "protocol/oip/infer_request.h"
#include "protocol/oip/infer_response.h"
#include "protocol/oip/metadata.h"

namespace supernova::protocol::oip {
namespace {

http::HttpResponse error_response(const base::Status& status) {
  return http::error_response(http_status(status.code()), base::message(status));
}

http::HttpResponse json_response(std::string body) {
  http::HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

// Health replies have no body.
http::HttpResponse health_response(bool healthy) {
  http::HttpResponse response;
  response.status = healthy ? 200 : 400;
  response.content_type = "text/plain";
  return response;
}

template <typename T>
http::HttpResponse json_or_error(const base::Result<T>& result, std::string (*json)(const T&)) {
  return result.ok() ? json_response(json(*result)) : error_response(result.status());
}

// The request parameter `timeout`: microseconds the client is willing to wait; 0 = for ever.
base::Status set_deadline(tensor::Request& request) {
  const auto at = request.parameters.find("timeout");
  if (at == request.parameters.end()) return {};
  const int64_t* const microseconds = std::get_if<int64_t>(&at->second);
  if (microseconds == nullptr || *microseconds < 0) {
    return absl::InvalidArgumentError("parameter 'timeout' must be a whole number of microseconds");
  }
  // Beyond a year it makes no difference, and sums can't overflow.
  constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1'000'000;
  if (*microseconds > 0) {
    request.deadline = std::chrono::steady_clock::now() +
                       std::chrono::microseconds(std::min(*microseconds, kYear));
  }
  return {};
}

base::Result<DecodedRequest> decode(const Route& route, const http::HttpRequest& request,
                                    service::Service& service) {
  SN_ASSIGN(const model::VersionHandle handle, service.model(route.model, route.version));
  SN_ASSIGN(DecodedRequest decoded,
            decode_infer_request(request.body, request.header("inference-header-content-length"),
                                 route.model, handle->config().inputs));
  decoded.request.model_version = route.version;
  decoded.request.cancellation = request.cancellation;
  if (const std::string* trace = request.header("traceparent")) {
    decoded.request.trace_context = *trace;
  }
  SN_TRY(set_deadline(decoded.request));
  return decoded;
}

}  // namespace

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

void OipHandler::handle(http::HttpRequest request, http::Responder respond) {
  const base::Result<Route> route = parse_route(request.target);
  if (!route.ok()) return respond(error_response(route.status()));
  if (route->endpoint == Endpoint::kUnknown) {
    return respond(http::error_response(404, "Not Found"));
  }
  const bool is_infer = route->endpoint == Endpoint::kModelInfer;
  const bool allowed =
      is_infer ? request.method == "POST" : request.method == "GET" || request.method == "HEAD";
  if (!allowed) {
    http::HttpResponse response = http::error_response(405, "Method Not Allowed");
    response.headers.emplace_back("Allow", is_infer ? "POST" : "GET, HEAD");
    return respond(std::move(response));
  }
  if (is_infer) return infer(*route, std::move(request), std::move(respond));
  respond(answer(*route));
}

http::HttpResponse OipHandler::answer(const Route& route) const {
  switch (route.endpoint) {
    case Endpoint::kServerLive:
      return health_response(service_.live());
    case Endpoint::kServerReady:
      return health_response(service_.ready());
    case Endpoint::kServerMetadata:
      return json_or_error(service_.metadata({}), server_metadata_json);
    case Endpoint::kModelReady: {
      const base::Status status = service_.model_ready({}, route.model, route.version);
      return status.ok() ? health_response(true) : error_response(status);
    }
    case Endpoint::kModelConfig:
      return json_or_error(service_.model_config({}, route.model, route.version),
                           model_config_json);
    default:
      return json_or_error(service_.model_metadata({}, route.model, route.version),
                           model_metadata_json);
  }
}

void OipHandler::infer(const Route& route, http::HttpRequest request, http::Responder respond) {
  auto decoded = decode(route, request, service_);
  if (!decoded.ok()) return respond(error_response(decoded.status()));
  service_.infer({}, std::move(decoded->request),
                 [form = std::move(decoded->output_form), respond = std::move(respond)](
                     const base::Result<tensor::Response>& result) mutable {
                   if (!result.ok()) return respond(error_response(result.status()));
                   auto reply = encode_infer_response(*result, form);
                   respond(reply.ok() ? *std::move(reply) : error_response(reply.status()));
                 });
}

}  // namespace supernova::protocol::oip
