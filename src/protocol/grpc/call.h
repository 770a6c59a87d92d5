// What every call needs: who asks, until when, and errors on their way out.
#pragma once

#include <exception>
#include <memory>
#include <new>

#include "base/status.h"
#include "protocol/grpc/grpc_options.h"
#include "protocol/grpc/received_request.h"
#include "protocol/grpc/server_call.h"
#include "service/service.h"

namespace supernova::protocol::grpc {

// What the calls of one server share. `service` and `options` outlive them.
struct CallHouse {
  service::Service& service;
  const GrpcServerOptions& options;
  std::shared_ptr<RequestMemory> memory;
};

// Runs `body`, turning what libraries throw (out of memory, mostly) into a status.
template <typename Body>
base::Status guarded(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

// Who a call's metadata and client certificate say it comes from.
base::Result<service::Caller> admit(const service::Service& service, service::Api api,
                                    const ServerCall& call);

// The message as a request for the service: decoded, with deadline, trace context and forwarded
// metadata. `into` takes the message over and is what inputs may share.
base::Result<tensor::Request> read_request(const CallHouse& house, const service::Caller& caller,
                                           const ServerCall& call,
                                           const std::shared_ptr<ReceivedRequest>& message);

// Of responses of inference.
grpc_compression_level compression_of(const CallHouse& house);

}  // namespace supernova::protocol::grpc
