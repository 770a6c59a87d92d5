// The metrics port: GET /metrics answers Prometheus' text format, made from snapshots when it is
// asked for; any other path 200 with nothing, as Triton does.
#pragma once

#include <absl/functional/any_invocable.h>

#include <mutex>
#include <string>

#include "base/process_usage.h"
#include "protocol/http/http_handler.h"
#include "protocol/metrics/exposition.h"
#include "protocol/metrics/latency_window.h"
#include "service/service.h"

namespace supernova::protocol::metrics {

class MetricsHandler : public http::HttpHandler {
 public:
  // Adds families of parts that this one doesn't know (the response cache); called from several
  // threads, one at a time.
  using Collector = absl::AnyInvocable<void(Exposition&)>;

  explicit MetricsHandler(service::Service& service) : service_(service) {}
  // Before the first request.
  void add_collector(Collector collector) { collectors_.push_back(std::move(collector)); }

  void handle(http::HttpRequest request, http::Responder respond) override;

 private:
  std::string render();
  void write_models(Exposition& out);
  void write_machine(Exposition& out);

  service::Service& service_;
  std::vector<Collector> collectors_;
  std::mutex mutex_;  // one scrape at a time
  LatencyWindow window_;
  base::MachineUsage previous_;
  double cpu_share_ = 0;
};

}  // namespace supernova::protocol::metrics
