#include "protocol/oip/handlers.h"
#include "protocol/oip/load_request.h"
#include "protocol/oip/metadata.h"

namespace supernova::protocol::oip {
namespace {

// True when the call names a repository, which no call may; it is answered then.
bool refuse_repository(Call& call) {
  if (call.path.repository.empty()) return false;
  call.respond(
      error_reply(absl::UnimplementedError("'repository_name' specification is not supported")));
  return true;
}

model::LifecycleDone reply_to(Call& call) {
  return [respond = std::move(call.respond)](const base::Status& status) mutable {
    respond(done_reply(status));
  };
}

}  // namespace

void repository_index(Call call) {
  if (refuse_repository(call)) return;
  const auto only_ready = decode_index_request(call.request.body.view());
  if (!only_ready.ok()) return call.respond(error_reply(only_ready.status()));
  call.respond(json_or_error(call.service.repository_index(call.caller, *only_ready),
                             repository_index_json));
}

void repository_load(Call call) {
  if (refuse_repository(call)) return;
  auto request = decode_load_request(call.request.body.view());
  if (!request.ok()) return call.respond(error_reply(request.status()));
  call.service.load_model(call.caller, call.path.model, *std::move(request), reply_to(call));
}

void repository_unload(Call call) {
  if (refuse_repository(call)) return;
  const auto dependents = decode_unload_request(call.request.body.view());
  if (!dependents.ok()) return call.respond(error_reply(dependents.status()));
  call.service.unload_model(call.caller, call.path.model, *dependents, reply_to(call));
}

}  // namespace supernova::protocol::oip
