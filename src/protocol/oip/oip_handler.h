// The Open Inference Protocol v2 over HTTP: health, metadata, readiness, configuration and
// inference in JSON and with binary tensors. Thread-safe.
#pragma once

#include "protocol/http/http_handler.h"
#include "protocol/oip/route.h"
#include "service/service.h"

namespace supernova::protocol::oip {

// The HTTP status of an error.
int http_status(absl::StatusCode code);

class OipHandler final : public http::HttpHandler {
 public:
  explicit OipHandler(service::Service& service) : service_(service) {}
  void handle(http::HttpRequest request, http::Responder respond) override;

 private:
  http::HttpResponse answer(const Route& route) const;
  void infer(const Route& route, http::HttpRequest request, http::Responder respond);

  service::Service& service_;
};

}  // namespace supernova::protocol::oip
