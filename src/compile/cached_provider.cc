#include "compile/cached_provider.h"

#include "base/log.h"
#include "compile/cpu_type.h"
#include "compile/imported_record.h"
#include "compile/key.h"
#include "compile/record.h"
#include "compile/weights_place.h"

namespace supernova::compile {
namespace {

using Choice = import::ImporterRegistry::Choice;

// A model as it lies in the cache.
base::Result<tensor::ImportedModel> model_of(const CacheEntry& entry, const std::string& file) {
  SN_ASSIGN(tensor::ImportedModel model, read_imported(entry.record, file, entry.payload));
  // Without bytes the artefact is the file itself, which the digest is not of.
  if (entry.payload.size() > 0) model.artefact.digest = "sha256:" + entry.digest;
  return model;
}

// The record of a prepared artefact is the name that the engine gave it; of one that the engine
// refused to prepare, a blank and why.
constexpr char kRefused = ' ';

// The option prepare=always|never, of the command line or the model's configuration.
bool wants_prepared(const tensor::Options& options, bool by_size) {
  const auto option = options.find("prepare");
  if (option == options.end()) return by_size;
  if (option->second == "always" || option->second == "never") return option->second == "always";
  SN_LOG(Warning, "option prepare is '{}'; it is 'always' or 'never'", option->second);
  return by_size;
}

}  // namespace

void CachedProvider::configure(ProviderOptions options) {
  options_ = std::move(options);
  cache_ = std::make_unique<ArtefactCache>(options_.cache_folder, options_.cache_bytes);
  const bool cached = !options_.cache_folder.empty() && options_.cache_bytes > 0;
  digests_ = std::make_unique<FileDigests>(cached ? options_.cache_folder : "", options_.settling);
  workers_ = std::make_unique<Workers>(options_.workers);
}

base::Result<tensor::ImportedModel> CachedProvider::provide(const std::string& path,
                                                            const tensor::Options& options) {
  SN_ASSIGN(const Choice choice, importers_.choose(path));
  if (choice.importer->is_light(choice.file)) {
    return choice.importer->import(choice.file, options);
  }
  return import_isolated(choice, options);
}

base::Result<tensor::ImportedModel> CachedProvider::import_isolated(
    const Choice& choice, const tensor::Options& options) {
  cache_->ready();  // before files are looked at, so that this is remembered
  ImportSources sources(*digests_, choice, options, options_.producer);
  if (cache_->ready()) {
    if (auto known = recall(sources, choice.file)) return *std::move(known);
  }
  Job job;
  job.kind = Job::Kind::kImport;
  job.format = choice.importer->format();
  job.file = choice.file;
  job.options = options;
  const auto started = std::chrono::steady_clock::now();
  SN_ASSIGN(Draft draft,
            workers_->run(job, {"importing", choice.file, sources.byte_size(), {}}, *cache_));
  SN_ASSIGN(const CacheEntry entry, ArtefactCache::open(draft));
  SN_ASSIGN(tensor::ImportedModel model, model_of(entry, choice.file));
  const std::string key = keep(draft, sources, model, choice.file);
  SN_LOG(Info, "model file '{}' ({}) was imported by a worker in {} ms", choice.file, job.format,
         std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               started)
             .count());
  if (model.artefact.weights.size() > 0) {
    SN_TRY(place_weights(std::make_shared<Draft>(std::move(draft)), key, model));
  }
  return model;
}

// The weights of a model that was imported just now: in its entry, or, where that is not kept, in
// the draft, as long as somebody needs it.
base::Status CachedProvider::place_weights(std::shared_ptr<Draft> draft, const std::string& key,
                                           tensor::ImportedModel& model) {
  if (key.empty() && draft->in_memory()) {
    return absl::FailedPreconditionError(base::str_cat(
        model.description.file,
        ": the model is larger than one ONNX file holds, and its weights need a place on disk: "
        "name a folder that can be written to with --cache-dir, of any --cache-byte-size but 0"));
  }
  const std::string path = key.empty() ? draft->path() : cache_->entry_path(key);
  return compile::place_weights(model.artefact, path, std::move(draft));
}

std::optional<tensor::ImportedModel> CachedProvider::recall(ImportSources& sources,
                                                            const std::string& file) {
  const auto noted = cache_->find(sources.names_key());
  if (!noted) return std::nullopt;
  RecordReader reader(noted->record);
  const std::vector<std::string> names = reader.texts();
  if (!reader.complete()) return std::nullopt;
  const std::string key = sources.find_key(names);
  const auto entry = cache_->find(key);
  if (!entry) return std::nullopt;
  base::Result<tensor::ImportedModel> model = model_of(*entry, file);
  if (!model.ok()) return std::nullopt;
  if (model->artefact.weights.size() > 0) {
    auto keeper = cache_->hold(key);
    const std::string path = cache_->entry_path(key);
    if (keeper == nullptr ||
        !compile::place_weights(model->artefact, path, std::move(keeper)).ok()) {
      return std::nullopt;
    }
  }
  SN_LOG(Info, "model file '{}' ({}) was imported before: taken from the cache", file,
         model->description.format);
  return *std::move(model);
}

std::string CachedProvider::keep(Draft& draft, ImportSources& sources,
                                 const tensor::ImportedModel& model, const std::string& file) {
  if (!cache_->ready()) return "";
  const std::vector<std::string> names = sources.names_of(model);
  const base::Result<std::string> key = sources.keep_key(names);
  if (!key.ok()) {
    SN_LOG(Info, "model file '{}' will be imported again by the next start: {}", file,
           base::message(key.status()));
    return "";
  }
  const bool on_disk = !draft.in_memory();
  cache_->keep(draft, *key);
  RecordWriter record;
  record.texts(names);
  keep_record(sources.names_key(), record.take());
  return on_disk && draft.path().empty() ? *key : "";
}

void CachedProvider::keep_record(const std::string& key, const std::string& record) {
  base::Result<Draft> draft = cache_->draft();
  if (!draft.ok()) return;
  EntryWriter writer(draft->file());
  if (const base::Status status = writer.finish(record); !status.ok()) return cache_->warn(status);
  cache_->keep(*draft, key);
}

std::string CachedProvider::prepared_key(const std::vector<DigestedFile>& files,
                                         const tensor::ImportedModel& model,
                                         const engine::Engine& engine,
                                         const tensor::Options& options) const {
  const import::Importer* importer = importers_.find(model.description.format);
  KeyBuilder key;
  key.add("prepared").add(options_.producer).add(model.description.format);
  key.add(base::str_cat(importer != nullptr ? importer->version() : 0)).add(model.artefact.digest);
  key.add(engine.name()).add(engine.version()).add(cpu_type()).add(options);
  for (const DigestedFile& file : files) key.add(file.digest);
  return key.finish();
}

std::optional<tensor::Artefact> CachedProvider::prepare(const tensor::ImportedModel& model,
                                                        std::string_view engine_name,
                                                        const tensor::Options& options) {
  // Without its files or its content there is nothing to know it by.
  const bool known = !model.sources.empty() || !model.artefact.digest.empty();
  // What lies apart is mapped as it is.
  const uint64_t byte_size =
      std::max<uint64_t>(model.description.byte_size, model.artefact.bytes.size());
  const bool small = byte_size < options_.prepare_below && model.artefact.weights.size() == 0;
  const bool wanted =
      small && wants_prepared(options, model.description.byte_size >= options_.prepare_from);
  if (!wanted || !known || !cache_->ready()) return std::nullopt;
  const auto engine = engines_.find(engine_name);
  if (!engine.ok() || !(*engine)->can_compile()) return std::nullopt;
  std::vector<DigestedFile> files;
  for (const std::string& source : model.sources) {
    base::Result<DigestedFile> file = digests_->digest(source);
    if (!file.ok()) return std::nullopt;
    files.push_back(*std::move(file));
  }
  const std::string key = prepared_key(files, model, **engine, options);
  std::optional<CacheEntry> entry = cache_->find(key);
  if (!entry) entry = make_prepared(model, **engine, options, files, key);
  if (!entry || entry->record.empty() || entry->record.front() == kRefused) return std::nullopt;
  const size_t dot = entry->record.rfind('.');
  if (dot == std::string::npos) return std::nullopt;
  return tensor::Artefact{entry->record.substr(dot + 1), "", entry->payload,
                          "sha256:" + entry->digest};
}

std::optional<CacheEntry> CachedProvider::make_prepared(const tensor::ImportedModel& model,
                                                        const engine::Engine& engine,
                                                        const tensor::Options& options,
                                                        const std::vector<DigestedFile>& files,
                                                        const std::string& key) {
  Job job;
  job.kind = Job::Kind::kPrepare;
  job.engine = engine.name();
  job.engine_libraries = options_.engine_libraries;
  job.artefact_format = model.artefact.format;
  job.artefact_path = model.artefact.path;
  job.options = options;
  const std::string& file = model.description.file;
  const uint64_t byte_size =
      std::max<uint64_t>(model.description.byte_size, model.artefact.bytes.size());
  base::Result<Draft> draft =
      workers_->run(job, {"preparing", file, byte_size, model.artefact.bytes}, *cache_);
  base::Status status = draft.ok() ? digests_->check_unchanged(files) : draft.status();
  if (status.ok()) {
    base::Result<CacheEntry> entry = ArtefactCache::open(*draft);
    if (entry.ok()) {
      cache_->keep(*draft, key);
      SN_LOG(Info, "model file '{}' was prepared for {}: later loads map it", file, engine.name());
      return *std::move(entry);
    }
    status = entry.status();
  }
  SN_LOG(Info, "model file '{}' can't be prepared for {}: {}; it is opened as it is", file,
         engine.name(), base::message(status));
  // What the engine itself can't do it won't do the next time either.
  if (status.code() == absl::StatusCode::kUnimplemented) {
    keep_record(key, base::str_cat(kRefused, base::message(status)));
  }
  return std::nullopt;
}

}  // namespace supernova::compile
