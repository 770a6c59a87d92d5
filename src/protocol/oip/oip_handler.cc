#include "protocol/oip/oip_handler.h"

#include "protocol/oip/openapi.h"
#include "protocol/oip/routes.h"

namespace supernova::protocol::oip {
namespace {

std::vector<RouteTable> all_tables(const HandlerOptions& options) {
  std::vector<RouteTable> all{routes()};
  all.insert(all.end(), options.more.begin(), options.more.end());
  return all;
}

http::HttpResponse not_routed(const std::string& allow) {
  if (allow.empty()) return http::error_response(404, "Not Found");
  http::HttpResponse response = http::error_response(405, "Method Not Allowed");
  response.headers.emplace_back("Allow", allow);
  return response;
}

base::Result<service::Caller> admit(const service::Service& service, const Route& route,
                                    const http::HttpRequest& request) {
  if (!service.controls_access()) return service::Caller{};
  const auto value = [&](std::string_view name) -> std::string_view {
    const std::string* const text = request.header(name);
    return text == nullptr ? std::string_view() : *text;
  };
  service::Credentials credentials;
  credentials.authorization = value("authorization");
  credentials.api_key = value("x-api-key");
  const http::Peer& peer = *request.peer;
  credentials.certificate =
      peer.alternative_name.empty() ? peer.common_name : peer.alternative_name;
  credentials.header = [&](std::string_view name) { return request.header(name); };
  return service.admit(service::Transport::kHttp, route.api, credentials);
}

std::string version_of(const service::Service& service) {
  const auto metadata = service.metadata({});
  return metadata.ok() ? metadata->version : "";
}

}  // namespace

OipHandler::OipHandler(service::Service& service, const HandlerOptions& options)
    : service_(service),
      forward_(options.forward),
      tables_(all_tables(options)),
      router_(tables_),
      openapi_(openapi_json(router_, tables_, version_of(service))) {}

base::Result<Notes*> OipHandler::notes_of(const http::HttpHead& head) const {
  if (head.notes != nullptr) return static_cast<Notes*>(head.notes.get());
  SN_ASSIGN(Router::Match match, router_.match(head.method, head.target));
  auto made = std::make_unique<Notes>();
  made->route = match.route;
  made->allow = std::move(match.allow);
  made->path = std::move(match.arguments);
  head.notes = std::move(made);
  return static_cast<Notes*>(head.notes.get());
}

void OipHandler::handle(http::HttpRequest request, http::Responder respond) {
  const auto notes = notes_of(*request.head);
  if (!notes.ok()) return respond(error_reply(notes.status()));
  const Route* const route = (*notes)->route;
  if (route == nullptr) return respond(not_routed((*notes)->allow));
  auto caller = admit(service_, *route, request);
  if (!caller.ok()) return respond(error_reply(caller.status()));
  route->answer({service_, forward_, openapi_, *std::move(caller), (*notes)->path,
                 &(*notes)->known_request, std::move(request), std::move(respond)});
}

}  // namespace supernova::protocol::oip
