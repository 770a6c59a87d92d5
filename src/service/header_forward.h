// Headers (gRPC: metadata) that become string parameters of an inference request, chosen by a
// regular expression of the operator's. Immutable; thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include "base/status.h"
#include "tensor/request.h"

namespace re2 {
class RE2;
}

namespace supernova::service {

class HeaderForward {
 public:
  HeaderForward() = default;  // forwards nothing

  // `pattern` in RE2's syntax, matched against the whole name in any case unless it starts with
  // "(?-i)"; "" forwards nothing. INVALID_ARGUMENT names `flag` and what is wrong.
  static base::Result<HeaderForward> compile(std::string_view pattern, std::string_view flag);

  // False: there is no need to walk the headers.
  bool enabled() const { return regex_ != nullptr; }

  // Adds one header, under the name the client spelled, when it matches. It replaces a parameter of
  // that name in the request, as a proxy that sets headers expects. INVALID_ARGUMENT for the names
  // that are reserved for the protocol itself (timeout, priority, triton_...).
  base::Status forward(std::string_view name, std::string_view value,
                       tensor::Parameters& parameters) const;

 private:
  std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace supernova::service
