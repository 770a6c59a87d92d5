// Who may do what. A front end collects the credentials of a request, AccessControl turns them into
// a Caller, and the Service checks the caller's rights on every door. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace supernova::service {

// Groups of operations that rights are given on, by the names of Triton's restricted protocols.
enum class Api {
  kHealth,
  kMetadata,
  kInference,
  kModelConfig,
  kModelRepository,
  kStatistics,
  kSharedMemory,
  kTrace,
  kLogging,
  kMetrics,
};
inline constexpr size_t kApiCount = 10;
// "health", "metadata", "inference", "model-config", "model-repository", ...
std::string_view api_name(Api api);
std::optional<Api> api_from_name(std::string_view name);
// All names, for messages: "health, metadata, ...".
std::string api_names();

enum class Transport { kHttp, kGrpc };

// What a front end knows of who asks. Views are valid during admit() only.
struct Credentials {
  std::string_view authorization;  // value of the header or metadata of that name
  std::string_view api_key;        // x-api-key
  std::string_view certificate;    // identity in the verified client certificate, "" = none
  // The value of a header (metadata) by lower-case name; null when absent.
  std::function<const std::string*(std::string_view)> header;
};

class Grants;  // what a principal may do (access_grants.h)

// Somebody known, or anybody where access control is off. Cheap to copy.
struct Caller {
  std::string name;                      // "" = nobody known
  std::shared_ptr<const Grants> grants;  // null = everything is allowed
};

class AccessControl {
 public:
  virtual ~AccessControl() = default;
  // UNAUTHENTICATED for credentials that are missing, wrong or expired; PERMISSION_DENIED when the
  // caller has no right on any part of `api`, or when the API is restricted and its header is
  // absent (message: "This API is restricted, expecting header '<name>'").
  virtual base::Result<Caller> admit(Transport transport, Api api,
                                     const Credentials& credentials) const = 0;
};

// Whether `caller` may use `api` on a model. `model` "" = a call that is not about one model
// (index, statistics of all, server metadata): the API must be granted for some model, and what it
// answers is filtered by may_see(). PERMISSION_DENIED names principal, API and model;
// UNAUTHENTICATED where nobody is known who could be denied.
base::Status check_right(const Caller& caller, Api api, std::string_view model);

// Whether a line about `model` may stand in an answer to `caller`.
bool may_see(const Caller& caller, Api api, std::string_view model);

}  // namespace supernova::service
