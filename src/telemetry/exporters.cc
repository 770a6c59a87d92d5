#include "telemetry/exporters.h"

namespace supernova::telemetry {

base::Result<std::unique_ptr<SpanSink>> ExporterRegistry::open(
    const std::string& name, const ExporterOptions& options) const {
  const auto at = makers_.find(name);
  if (at != makers_.end()) return at->second(options);
  return absl::UnimplementedError(
      base::str_cat("this program was built without the exporter '", name,
                    "' (it needs opentelemetry-cpp); trace into a file instead: "
                    "--trace-config triton,file=PATH"));
}

}  // namespace supernova::telemetry
