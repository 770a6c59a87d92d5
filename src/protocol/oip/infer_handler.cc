#include "protocol/oip/handlers.h"
#include "protocol/oip/infer_request.h"
#include "protocol/oip/infer_response.h"

namespace supernova::protocol::oip {

void infer(Call call) {
  auto version = version_for_inference(call);
  if (!version.ok()) return call.respond(error_reply(version.status()));
  const auto shared_memory = [&call](std::string_view region, uint64_t offset, uint64_t byte_size) {
    return call.service.shared_memory_part(call.caller, region, offset, byte_size);
  };
  auto decoded = decode_infer_request(
      call.request.body, call.request.header("inference-header-content-length"), call.path.model,
      (*version)->config().inputs, shared_memory, call.known_request);
  if (!decoded.ok()) return call.respond(error_reply(decoded.status()));
  const base::Status completed = complete_request(call, decoded->request);
  if (!completed.ok()) return call.respond(error_reply(completed));
  call.service.infer(call.caller, *std::move(version), std::move(decoded->request),
                     [form = std::move(decoded->output_form), respond = std::move(call.respond)](
                         const base::Result<tensor::Response>& result) mutable {
                       if (!result.ok()) return respond(error_reply(result.status()));
                       auto reply = encode_infer_response(*result, form);
                       respond(reply.ok() ? *std::move(reply) : error_reply(reply.status()));
                     });
}

}  // namespace supernova::protocol::oip
