#include "service/access_log.h"

#include "base/log.h"

namespace supernova::service {

tensor::Completion log_access(const tensor::Request& request, tensor::Timing::Point arrived,
                              tensor::Completion done) {
  return [model = request.model_name, version = request.model_version, id = request.id,
          trace = request.trace_context, arrived,
          done = std::move(done)](base::Result<tensor::Response> result) mutable {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        tensor::Timing::Point::clock::now() - arrived);
    const std::string status =
        result.ok()
            ? "OK"
            : std::string(absl::string_view(absl::StatusCodeToString(result.status().code())));
    base::log(base::LogLevel::kDebug, "request",
              {{"model", model},
               {"version", result.ok() ? result->model_version : version},
               {"id", id},
               {"status", status},
               {"us", int64_t{took.count()}},
               {"traceparent", trace}});
    done(std::move(result));
  };
}

}  // namespace supernova::service
