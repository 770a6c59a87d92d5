#include "protocol/oip/handlers.h"
#include "protocol/oip/json_text.h"
#include "protocol/oip/metadata.h"
#include "protocol/oip/placement_json.h"

namespace supernova::protocol::oip {
namespace {

// Clients of Triton look at the status only and send no Accept field: they get no body. Those that
// admit JSON read the protocol's object from it.
http::HttpResponse health_reply(const http::HttpRequest& request, bool healthy,
                                std::string_view json) {
  http::HttpResponse response;
  if (accepts_json(request)) {
    response = json_reply(std::string(json));
  } else {
    response.content_type = "text/plain";
  }
  response.status = healthy ? 200 : 400;
  return response;
}

}  // namespace

void server_live(Call call) {
  const bool live = call.service.live();
  call.respond(health_reply(call.request, live, live ? R"({"live":true})" : R"({"live":false})"));
}

void server_ready(Call call) {
  const bool ready = call.service.ready();
  call.respond(
      health_reply(call.request, ready, ready ? R"({"ready":true})" : R"({"ready":false})"));
}

void server_metadata(Call call) {
  call.respond(json_or_error(call.service.metadata(call.caller), server_metadata_json));
}

void model_list(Call call) {
  // A list of names needs no right on the repository; each name needs one on its metadata.
  const auto index = call.service.repository_index({}, true);
  if (!index.ok()) return call.respond(error_reply(index.status()));
  std::vector<std::string> names;
  for (const model::IndexEntry& entry : *index) {
    if (!names.empty() && names.back() == entry.name) continue;
    if (!service::may_see(call.caller, service::Api::kMetadata, entry.name)) continue;
    names.push_back(entry.name);
  }
  std::string json = "{";
  append_strings(json, "models", names);
  call.respond(json_reply(json + "}"));
}

void model_metadata(Call call) {
  call.respond(
      json_or_error(call.service.model_metadata(call.caller, call.path.model, call.path.version),
                    model_metadata_json));
}

void model_ready(Call call) {
  const base::Status status =
      call.service.model_ready(call.caller, call.path.model, call.path.version);
  if (!status.ok()) return call.respond(error_reply(status));
  std::string json = "{";
  append_text(json, "name", call.path.model);
  append_raw(json, "ready", "true}");
  call.respond(health_reply(call.request, true, json));
}

void model_config(Call call) {
  call.respond(
      json_or_error(call.service.model_config(call.caller, call.path.model, call.path.version),
                    model_config_json));
}

void model_placement(Call call) {
  call.respond(json_or_error(
      call.service.placement(call.caller, call.path.model, call.path.version), placement_json));
}

void model_statistics(Call call) {
  call.respond(json_or_error(
      call.service.statistics(call.caller, call.path.model, call.path.version), statistics_json));
}

void openapi_document(Call call) { call.respond(json_reply(call.openapi)); }

}  // namespace supernova::protocol::oip
