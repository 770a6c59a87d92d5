// The exporters of spans, by name ("otlp"): each is a library of its own, NAME.so in
// lib/supernova/exporters beside bin, which is loaded when it is asked for. What it leans on, such
// as the forty libraries behind opentelemetry-cpp, costs nothing where nobody traces.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "telemetry/span.h"

namespace supernova::telemetry {

struct ExporterOptions {
  std::string url;  // "" = the exporter's usual one
  std::string service_version;
  std::map<std::string, std::string> resource;  // attributes; "service.name" has a default
  std::chrono::milliseconds timeout{5000};      // of one delivery
};

// UNIMPLEMENTED when this program was built without it, FAILED_PRECONDITION when its library can't
// be loaded.
base::Result<std::unique_ptr<SpanSink>> open_exporter(const std::string& name,
                                                      const ExporterOptions& options);

// What the library of an exporter makes. Only the standard library's types cross between it and the
// program, which are of one build: each has its own copy of Abseil.
class SpanWriter {
 public:
  virtual ~SpanWriter() = default;
  // As SpanSink::write(): "", or why the spans were lost.
  virtual std::string write(const std::vector<Span>& spans) = 0;
};

// It exports one of these under this name. The caller owns the writer; null = the reason is in
// `error`.
inline constexpr char kMakeExporter[] = "supernova_make_exporter";
using MakeExporter = SpanWriter* (*)(const ExporterOptions& options, std::string& error);

}  // namespace supernova::telemetry
