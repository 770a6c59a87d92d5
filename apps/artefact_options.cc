#include "artefact_options.h"

#include "base/build_id.h"
#include "compile/cache_folder.h"
#include "compile/worker_main.h"
#include "engine/catalogue.h"
#include "import/importer.h"
#include "option_checks.h"

namespace supernova::apps {

void ArtefactOptions::add_to(CLI::App& command) {
  command
      .add_option("--cache-dir", cache_dir,
                  "Folder for imported and optimised models (default: $SUPERNOVA_CACHE_DIR, "
                  "$XDG_CACHE_HOME/supernova or ~/.cache/supernova)")
      ->type_name("DIR");
  command
      .add_option("--cache-byte-size", cache_byte_size,
                  "Bytes (512MiB, 4GiB) it may take; what was used longest ago goes first; 0 = no "
                  "cache")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--import-timeout-secs", import_timeout_seconds,
                  "Seconds after which the import of a model is given up")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
}

compile::ProviderOptions ArtefactOptions::provider_options(
    const std::vector<std::string>& engine_libraries) const {
  compile::ProviderOptions options;
  options.cache_folder = cache_dir.empty() ? compile::default_cache_folder() : cache_dir;
  options.cache_bytes = cache_byte_size;
  // Two builds of one version may import differently.
  options.producer = base::str_cat(SUPERNOVA_VERSION, " ", base::build_id());
  options.engine_libraries = engine_libraries;
  options.workers.timeout = std::chrono::seconds(import_timeout_seconds);
  options.workers.command.arguments = {"supernova", kWorkerCommand};
  return options;
}

void write_artefact_metrics(const compile::CachedProvider& provider,
                            protocol::metrics::Exposition& out) {
  using protocol::metrics::MetricType;
  const auto count = [&](const char* name, const char* help, uint64_t value) {
    out.family(name, MetricType::kCounter, help);
    out.sample({}, value);
  };
  const auto cache = provider.cache_counters();
  count("supernova_artefact_cache_hits_total", "Artefacts that were found in the cache on disk",
        cache.hits);
  count("supernova_artefact_cache_misses_total", "Artefacts that were not", cache.misses);
  count("supernova_artefact_cache_evictions_total", "Artefacts that made room for others",
        cache.evictions);
  count("supernova_artefact_cache_damaged_total", "Artefacts that were found damaged",
        cache.damaged);
  const auto workers = provider.worker_counters();
  out.family("supernova_import_workers_total", MetricType::kCounter,
             "Worker processes that imported or prepared a model, by how they ended");
  out.sample({{"outcome", "done"}}, workers.done);
  out.sample({{"outcome", "refused"}}, workers.refused);
  out.sample({{"outcome", "failed"}}, workers.failed);
}

int import_worker() {
  import::ImporterRegistry importers;
  engine::Catalogue engines;
  import::register_importers(importers);
  engine::register_builtin_engines(engines);
  return compile::run_worker_job(importers, engines);
}

}  // namespace supernova::apps
