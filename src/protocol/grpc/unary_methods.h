// What the methods with one message and one answer do: each hands its message to the service.
#pragma once

#include <absl/functional/any_invocable.h>

#include <optional>
#include <string_view>

#include "protocol/grpc/call.h"

namespace supernova::protocol::grpc {

// Called once, from any thread.
using MethodDone = absl::AnyInvocable<void(const base::Status& status, Message reply)>;

struct UnaryMethod {
  std::string_view name;            // "/package.Service/Method"
  std::optional<service::Api> api;  // whom it admits; nothing = everybody
  // An error means that `done` is not called. The message may be taken over.
  base::Status (*run)(const CallHouse& house, const service::Caller& caller, Message& message,
                      MethodDone done) = nullptr;
};

// Null when there is none.
const UnaryMethod* find_unary_method(std::string_view name);

}  // namespace supernova::protocol::grpc
