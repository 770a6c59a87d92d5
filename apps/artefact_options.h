// Where imported models are kept and how long an import may take: flags, and what they mean to the
// provider of artefacts. Also the program's other side, the worker that imports.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "compile/cached_provider.h"
#include "protocol/metrics/exposition.h"

namespace supernova::apps {

struct ArtefactOptions {
  std::string cache_dir;  // "" = the default folder
  uint64_t cache_byte_size = uint64_t{4} << 30U;
  int import_timeout_seconds = 300;

  void add_to(CLI::App& command);
  compile::ProviderOptions provider_options(const std::vector<std::string>& engine_libraries) const;
};

// Families of the metrics port.
void write_artefact_metrics(const compile::CachedProvider& provider,
                            protocol::metrics::Exposition& out);

// `supernova import-worker`: started by a process of this program only.
inline constexpr char kWorkerCommand[] = "import-worker";
int import_worker();

}  // namespace supernova::apps
