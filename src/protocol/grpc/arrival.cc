#include "protocol/grpc/arrival.h"

#include "protocol/grpc/health.h"
#include "protocol/grpc/stream_call.h"
#include "protocol/grpc/unary_call.h"

namespace supernova::protocol::grpc {

void Arrival::ask() {
  SN_CHECK(grpc_server_request_call(worker_.door().server, call_.place(), &details_,
                                    call_.metadata_place(), worker_.queue(), worker_.queue(),
                                    &arrived_) == GRPC_CALL_OK);
}

void Arrival::arrived(bool ok) {
  if (!ok) return;  // the server ends
  worker_.call_begins();
  *call_.deadline_place() = details_.deadline;
  const std::string_view method = view(details_.method);
  if (method == kStreamMethod) {
    start_stream_call(worker_, call_);
  } else if (method == kWatchMethod) {
    start_watch_call(worker_, call_);
  } else {
    start_unary_call(worker_, method, call_);
  }
  grpc_call_details_destroy(&details_);
  grpc_call_details_init(&details_);
  if (!worker_.closing()) ask();
}

}  // namespace supernova::protocol::grpc
