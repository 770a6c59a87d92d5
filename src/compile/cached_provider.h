// The ArtefactProvider of a program: models are recognised here, imported by a worker process and
// found again in the cache on disk; what an engine can prepare ahead of time is prepared by a
// worker, too, and mapped from the cache (docs/adr/0010). What the importer calls light (small ONNX
// files, taken as they are) is imported here. Thread-safe once configured.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "compile/artefact_cache.h"
#include "compile/file_digests.h"
#include "compile/import_sources.h"
#include "compile/workers.h"
#include "engine/catalogue.h"
#include "import/importer.h"
#include "tensor/artefact.h"

namespace supernova::compile {

struct ProviderOptions {
  std::string cache_folder;  // "" = no cache
  uint64_t cache_bytes = 0;  // 0 = no cache
  WorkerOptions workers;
  // Models from this size on are prepared; smaller ones the engine opens as fast without.
  uint64_t prepare_from = uint64_t{8} << 20U;
  // Larger ones have no room in the runtime's own format, which ends at 2 GiB with all that it adds
  // to the weights. Nothing to prepare them is tried.
  uint64_t prepare_below = uint64_t{7} << 28U;
  std::string producer;  // the version of this program: what another one made is not taken
  std::vector<std::string> engine_libraries;  // for workers that prepare
  // How long ago a file must have changed for its times to be trusted.
  std::chrono::nanoseconds settling = std::chrono::seconds(3);
};

class CachedProvider final : public tensor::ArtefactProvider {
 public:
  CachedProvider(const import::ImporterRegistry& importers, engine::Catalogue& engines)
      : importers_(importers), engines_(engines) {
    configure({});
  }
  // Before the first use. Until then there is no cache.
  void configure(ProviderOptions options);

  bool recognises(const std::string& path) const override { return importers_.recognises(path); }
  base::Result<tensor::SourceFile> identify(const std::string& path) const override {
    return importers_.identify(path);
  }
  // Fails as the importer does, or as Workers::run().
  base::Result<tensor::ImportedModel> provide(const std::string& path,
                                              const tensor::Options& options) override;
  // Nothing where there is no cache to map it from.
  std::optional<tensor::Artefact> prepare(const tensor::ImportedModel& model,
                                          std::string_view engine,
                                          const tensor::Options& options) override;
  // Ends the workers that run; what they were for fails with UNAVAILABLE, and so does all that
  // would need one from now on. From any thread.
  void stop() { workers_->stop(); }

  ArtefactCache::Counters cache_counters() const { return cache_->counters(); }
  Workers::Counters worker_counters() const { return workers_->counters(); }

 private:
  base::Result<tensor::ImportedModel> import_isolated(
      const import::ImporterRegistry::Choice& choice, const tensor::Options& options);
  std::optional<tensor::ImportedModel> recall(ImportSources& sources, const std::string& file);
  // The key that it was kept under; "" = it was not.
  std::string keep(Draft& draft, ImportSources& sources, const tensor::ImportedModel& model,
                   const std::string& file);
  base::Status place_weights(std::shared_ptr<Draft> draft, const std::string& key,
                             tensor::ImportedModel& model);
  void keep_record(const std::string& key, const std::string& record);
  std::string prepared_key(const std::vector<DigestedFile>& files,
                           const tensor::ImportedModel& model, const engine::Engine& engine,
                           const tensor::Options& options) const;
  std::optional<CacheEntry> make_prepared(const tensor::ImportedModel& model,
                                          const engine::Engine& engine,
                                          const tensor::Options& options,
                                          const std::vector<DigestedFile>& files,
                                          const std::string& key);

  const import::ImporterRegistry& importers_;
  engine::Catalogue& engines_;
  ProviderOptions options_;
  std::unique_ptr<ArtefactCache> cache_;
  std::unique_ptr<FileDigests> digests_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace supernova::compile
