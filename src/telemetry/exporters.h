// The exporters of spans that are built in: a folder each, by name ("otlp"). A program without one
// says so when it is asked for.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/status.h"
#include "telemetry/span.h"

namespace supernova::telemetry {

struct ExporterOptions {
  std::string url;  // "" = the exporter's usual one
  std::string service_version;
  std::map<std::string, std::string> resource;  // attributes; "service.name" has a default
  std::chrono::milliseconds timeout{5000};      // of one delivery
};

class ExporterRegistry {
 public:
  using Make = base::Result<std::unique_ptr<SpanSink>> (*)(const ExporterOptions&);
  void add(std::string name, Make make) { makers_.emplace(std::move(name), make); }
  // UNIMPLEMENTED when this program was built without it.
  base::Result<std::unique_ptr<SpanSink>> open(const std::string& name,
                                               const ExporterOptions& options) const;

 private:
  std::map<std::string, Make> makers_;
};

// Generated from the folders.
void register_exporters(ExporterRegistry& registry);

}  // namespace supernova::telemetry
