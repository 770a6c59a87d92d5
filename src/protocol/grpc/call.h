// What every call needs: who asks, until when, and errors on their way out.
#pragma once

#include <grpcpp/grpcpp.h>
#include <inference.pb.h>

#include <exception>
#include <memory>
#include <new>

#include "base/status.h"
#include "protocol/grpc/grpc_options.h"
#include "protocol/grpc/request_memory.h"
#include "service/service.h"

namespace supernova::protocol::grpc {

// What the calls of one server share. `service` and `options` outlive them.
struct CallHouse {
  service::Service& service;
  const GrpcServerOptions& options;
  std::shared_ptr<RequestMemory> memory;
};

// The codes are the same on both sides. Long messages are cut to what trailers hold.
::grpc::Status to_grpc(const base::Status& status);

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

// Who a call's metadata and client certificate say it comes from. The certificate's identity is the
// first URI among its alternative names, else the first DNS name, else its common name.
base::Result<service::Caller> admit(const service::Service& service, service::Api api,
                                    const ::grpc::CallbackServerContext& context);

// The first value of a metadata key (lower case); "" when absent.
std::string_view metadata_value(const ::grpc::CallbackServerContext& context, const char* key);

// The message as a request for the service: decoded, with deadline, trace context and forwarded
// metadata. The message's content is taken over.
base::Result<tensor::Request> read_request(const CallHouse& house, const service::Caller& caller,
                                           const ::grpc::CallbackServerContext& context,
                                           inference::ModelInferRequest& message);

// How the call's responses are compressed. Before the first of them.
void set_compression(const CallHouse& house, ::grpc::CallbackServerContext& context);

}  // namespace supernova::protocol::grpc
