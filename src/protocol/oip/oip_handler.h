// The Open Inference Protocol v2 over HTTP, and the dialects beside it: finds a request's route,
// asks who is calling, and hands it to its endpoint. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "protocol/http/http_handler.h"
#include "protocol/oip/call.h"
#include "protocol/oip/route.h"
#include "service/service.h"

namespace supernova::protocol::oip {

struct HandlerOptions {
  std::vector<RouteTable> more;  // other dialects
  ForwardHeaders forward;
};

class OipHandler final : public http::HttpHandler {
 public:
  explicit OipHandler(service::Service& service, const HandlerOptions& options = {});
  void handle(http::HttpRequest request, http::Responder respond) override;

  // The OpenAPI document of everything served.
  const std::string& openapi() const { return openapi_; }

 private:
  // Made when the head first comes.
  base::Result<Notes*> notes_of(const http::HttpHead& head) const;

  service::Service& service_;
  const ForwardHeaders forward_;
  const std::vector<RouteTable> tables_;
  const Router router_;
  const std::string openapi_;
};

}  // namespace supernova::protocol::oip
