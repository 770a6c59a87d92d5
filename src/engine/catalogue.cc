#include "engine/catalogue.h"

#include <mutex>

namespace supernova::engine {

struct Catalogue::Entry {
  std::string name;
  sn_engine_entry_fn entry = nullptr;
  std::mutex mutex;
  std::unique_ptr<Engine> engine;
};

void Catalogue::add_builtin(std::string name, sn_engine_entry_fn entry) {
  auto added = std::make_shared<Entry>();
  added->name = std::move(name);
  added->entry = entry;
  entries_.push_back(std::move(added));
}

base::Status Catalogue::add_library(const std::string& path, const Options& options) {
  auto added = std::make_shared<Entry>();
  SN_ASSIGN(added->engine, Engine::open_library(path, options));
  added->name = added->engine->name();
  for (const auto& entry : entries_) {
    if (entry->name == added->name) {
      return absl::AlreadyExistsError(base::str_cat("engine library ", path, " calls itself '",
                                                    added->name, "', a name that is taken"));
    }
  }
  entries_.push_back(std::move(added));
  return {};
}

base::Result<Engine*> Catalogue::open(Entry& entry) {
  std::lock_guard lock(entry.mutex);
  if (!entry.engine) {
    SN_ASSIGN(entry.engine, Engine::open(entry.entry, {}));
  }
  return entry.engine.get();
}

base::Result<Engine*> Catalogue::find(std::string_view name) {
  for (const auto& entry : entries_) {
    if (entry->name == name) return open(*entry);
  }
  return absl::NotFoundError(
      base::str_cat("no engine '", name, "' here; there is: ", base::str_join(names(), ", ")));
}

void Catalogue::open_early(std::string_view name) {
  for (const auto& entry : entries_) {
    if (name.empty() || entry->name == name) open(*entry).status().IgnoreError();
  }
}

std::vector<std::string> Catalogue::names() const {
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry->name);
  return names;
}

base::Result<Engine*> Catalogue::choose(const Artefact& artefact, const sn_device& device,
                                        const Options& options) {
  Engine* best = nullptr;
  Verdict best_verdict;
  std::vector<std::string> reasons;
  for (const auto& entry : entries_) {
    const auto engine = open(*entry);
    if (!engine.ok()) {
      reasons.push_back(base::str_cat(entry->name, ": ", engine.status().message()));
      continue;
    }
    if (!(*engine)->accepts_format(artefact.format)) continue;
    auto verdict = (*engine)->can_run(artefact, device, options);
    if (!verdict.ok()) {
      reasons.push_back(base::str_cat(entry->name, ": ", verdict.status().message()));
      continue;
    }
    if (verdict->compatibility == SN_CAN_NOT_RUN) {
      reasons.push_back(base::str_cat(entry->name, ": ", verdict->reason));
      continue;
    }
    const auto rank = std::pair(verdict->compatibility, verdict->score);
    if (best == nullptr || rank > std::pair(best_verdict.compatibility, best_verdict.score)) {
      best = *engine;
      best_verdict = *std::move(verdict);
    }
  }
  if (best != nullptr) return best;
  if (reasons.empty()) {
    return absl::FailedPreconditionError(
        base::str_cat("no engine here takes the format '", artefact.format,
                      "'; there is: ", base::str_join(names(), ", ")));
  }
  return absl::FailedPreconditionError(
      base::str_cat("no engine can run this model: ", base::str_join(reasons, "; ")));
}

}  // namespace supernova::engine
