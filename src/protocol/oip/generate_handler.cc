#include "protocol/oip/generate.h"
#include "protocol/oip/handlers.h"

namespace supernova::protocol::oip {
namespace {

// Models here answer a request once, so a stream is one event.
http::HttpResponse event_stream(const std::string& json) {
  http::HttpResponse response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.body = base::str_cat("data: ", json, "\n\n");
  return response;
}

void answer(Call call, http::HttpResponse (*form)(const std::string& json)) {
  auto version = version_for_inference(call);
  if (!version.ok()) return call.respond(error_reply(version.status()));
  auto request = decode_generate_request(call.request.body.view(), call.path.model,
                                         (*version)->config().inputs);
  if (!request.ok()) return call.respond(error_reply(request.status()));
  const base::Status completed = complete_request(call, *request);
  if (!completed.ok()) return call.respond(error_reply(completed));
  call.service.infer(call.caller, *std::move(version), *std::move(request),
                     [form, respond = std::move(call.respond)](
                         const base::Result<tensor::Response>& result) mutable {
                       if (!result.ok()) return respond(error_reply(result.status()));
                       const auto json = encode_generate_response(*result);
                       respond(json.ok() ? form(*json) : error_reply(json.status()));
                     });
}

}  // namespace

void generate(Call call) {
  answer(std::move(call), [](const std::string& json) { return json_reply(json); });
}

void generate_stream(Call call) { answer(std::move(call), &event_stream); }

}  // namespace supernova::protocol::oip
