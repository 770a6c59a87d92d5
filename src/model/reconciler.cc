#include "model/reconciler.h"

#include <algorithm>
#include <chrono>

#include "base/idle_code.h"
#include "base/large_pages.h"
#include "base/log.h"
#include "model_config.pb.h"

namespace supernova::model {
namespace {

// How long an unload waits for requests in progress before it is answered; they are finished in any
// case.
constexpr std::chrono::seconds kUnloadWait{10};

base::Status server_stops() { return absl::UnavailableError("the server is stopping"); }

Manifest manifest_of(const ModelVersion& version, const std::string& place, ContentDigest content) {
  Manifest manifest;
  manifest.name = version.name();
  manifest.version = version.version();
  manifest.content = std::move(content);
  manifest.format = version.description().format;
  manifest.producer = version.description().producer;
  manifest.path = place;
  manifest.loaded_at = std::chrono::system_clock::now();
  manifest.engine = version.config().proto->backend();
  manifest.inputs = version.config().inputs;
  manifest.outputs = version.config().outputs;
  manifest.max_batch_size = version.config().proto->max_batch_size();
  return manifest;
}

bool has_lost_a_device(ModelVersion& version) {
  const auto instances = version.scheduler().instances();
  return std::any_of(instances.begin(), instances.end(),
                     [](const auto& instance) { return !instance.lost.empty(); });
}

}  // namespace

void Reconciler::start(const LoadOptions& options, uint64_t memory_budget, size_t threads) {
  std::lock_guard lock(mutex_);
  options_ = options;
  memory_budget_ = memory_budget;
  loaders_ = std::make_unique<LoaderThreads>(threads, [] {
    const size_t bytes = base::release_idle_code();
    const size_t large = base::use_large_pages();
    SN_LOG(Debug,
           "loading has ended: {} bytes of code and constants left the process, {} bytes of memory "
           "are on large pages",
           bytes, large);
  });
}

void Reconciler::run_on_loader(absl::AnyInvocable<void()> task) {
  loaders_->submit(std::move(task));
}

std::shared_ptr<Statistics> Reconciler::statistics_of(const std::string& name, int64_t version) {
  std::lock_guard lock(mutex_);
  auto& kept = statistics_[{name, version}];
  if (kept == nullptr) kept = std::make_shared<Statistics>();
  return kept;
}

void Reconciler::submit(const std::string& name, Operation operation) {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    if (stopping()) {
      if (operation.done) {
        answers.emplace_back(
            [done = std::move(operation.done)]() mutable { done(server_stops()); });
      }
    } else {
      Model& model = models_[name];
      // Nobody waits for what the repository said before.
      std::erase_if(model.waiting, [](const Operation& older) { return !older.done; });
      model.waiting.push_back(std::move(operation));
      advance(name, answers);
    }
  }
  for (Answer& answer : answers) answer();
}

void Reconciler::advance(const std::string& name, Answers& answers) {
  while (!stopping()) {
    const auto at = models_.find(name);
    if (at == models_.end()) return;
    Model& model = at->second;
    if (!model.current) {
      if (model.waiting.empty()) {
        if (forget_what_is_gone(name, model)) return;
        publish(name, model);
        return;
      }
      model.current = std::move(model.waiting.front());
      model.waiting.pop_front();
      begin(model);
    }
    const Action action = next_action(facts_of(model));
    if (action.kind == ActionKind::kUnload) {
      unload(name, model, action.version);
    } else if (action.kind == ActionKind::kLoad) {
      if (memory_budget_ != 0 && is_closing(model)) return;  // closed() goes on
      begin_load(name, model, action.version);
      publish(name, model);
      return;
    } else if (model.busy) {
      return;
    } else {
      publish(name, model);
      finish(name, model, answers);
    }
  }
}

void Reconciler::begin(Model& model) {
  Operation& operation = *model.current;
  model.refusal = std::string(base::message(operation.refusal));
  model.leaving = std::make_shared<Leaving>();
  if (operation.kind == Operation::Kind::kRefuse) return;
  for (auto& [number, version] : model.versions) {
    version.wanted.reset();
    version.unloaded &= operation.kind == Operation::Kind::kUnload;
    if (operation.retry) version.failed_mark.reset();
  }
  model.plan.reset();  // and files of its own with it, when no version needs them
  if (operation.kind != Operation::Kind::kServe) return;
  model.plan = std::make_shared<const ModelPlan>(std::move(operation.plan));
  for (const DesiredVersion& wanted : model.plan->versions) {
    Version& version = model.versions[wanted.number];
    version.wanted = wanted;
    // Unchanged files would leave it as it is; a client who asks for it wants it whole.
    const bool is_impaired =
        version.serving && (!version.serving->health().ok() || has_lost_a_device(*version.serving));
    if (operation.retry && is_impaired) {
      version.serving_mark = ~wanted.fingerprint;
    } else if (version.serving && version.serving_mark == wanted.fingerprint) {
      // It is what it was before a change that failed.
      version.attempt.reset();
      version.failed_mark.reset();
    }
  }
}

bool Reconciler::is_closing(const Model& model) {
  return std::any_of(model.versions.begin(), model.versions.end(),
                     [](const auto& version) { return version.second.closing > 0; });
}

ModelFactsNow Reconciler::facts_of(const Model& model) const {
  ModelFactsNow facts;
  facts.busy = model.busy;
  uint64_t in_use = 0;
  if (memory_budget_ != 0) {
    for (const auto& [name, other] : models_) {
      for (const auto& [number, version] : other.versions) {
        if (version.serving) in_use += version.serving->memory_bytes();
      }
    }
  }
  uint64_t cost = 0;
  for (const auto& [number, version] : model.versions) {
    VersionFacts fact{number};
    if (version.wanted) fact.wanted = version.wanted->fingerprint;
    if (version.serving) fact.serving = version.serving_mark;
    fact.failed = version.failed_mark;
    facts.versions.push_back(fact);
    // What the next load will take: as much as its predecessor, or its files.
    if (version.serving) cost = std::max(cost, version.serving->memory_bytes());
    if (version.wanted) cost = std::max(cost, version.wanted->byte_size);
  }
  facts.free_first = must_free_first(memory_budget_, in_use, cost);
  return facts;
}

void Reconciler::begin_load(const std::string& name, Model& model, int64_t number) {
  Version& version = model.versions[number];
  auto& statistics = statistics_[{name, number}];
  if (statistics == nullptr) statistics = std::make_shared<Statistics>();
  version.failed_mark.reset();
  version.attempt =
      steward_.own(std::make_unique<ModelVersion>(name, number, version.wanted->path, statistics));
  version.attempt->keep(model.plan->files);
  version.attempt->start_loading();
  model.busy = true;
  loaders_->submit(
      [this, name, wanted = *version.wanted, plan = model.plan,
       attempt = version.attempt]() mutable { load(name, wanted, std::move(plan), attempt); });
}

void Reconciler::load(const std::string& name, const DesiredVersion& wanted,
                      std::shared_ptr<const ModelPlan> plan, const VersionHandle& attempt) {
  base::Status status = stopping() ? server_stops() : opener_.open(*attempt, *plan, options_);
  if (!status.ok()) {
    attempt->fail(status);
    SN_LOG(Error, "model '{}' version {}: {}", name, wanted.number, base::message(status));
  }
  plan.reset();  // whoever is answered below may count on its files being gone after an unload
  VersionHandle old;
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    Model& model = models_[name];
    Version& version = model.versions[wanted.number];
    model.busy = false;
    if (status.ok()) {
      old = std::exchange(version.serving, std::move(version.attempt));
      version.serving_mark = wanted.fingerprint;
      version.attempt.reset();
      version.failed_mark.reset();
      publish(name, model);  // from here on requests find the new one
    } else {
      version.failed_mark = wanted.fingerprint;
    }
    if (old) {
      old->retire();
      watch_closing(name, wanted.number, old.get());
    }
    advance(name, answers);
  }
  old.reset();
  for (Answer& answer : answers) answer();
  if (status.ok()) {
    loaders_->submit([this, ready = std::weak_ptr(attempt), place = wanted.place] {
      if (const VersionHandle version = ready.lock()) write_manifest(version, place);
    });
  }
}

void Reconciler::write_manifest(const VersionHandle& version, const std::string& place) {
  auto content =
      digest_content(place, [&] { return stopping() || version->state() != VersionState::kReady; });
  if (!content.ok()) {
    if (!absl::IsCancelled(content.status())) {
      SN_LOG(Warning, "model '{}' version {}: no digest: {}", version->name(), version->version(),
             base::message(content.status()));
    }
    return;
  }
  version->set_manifest(manifest_of(*version, place, *std::move(content)));
}

void Reconciler::unload(const std::string& name, Model& model, int64_t number) {
  Version& version = model.versions[number];
  const VersionHandle old = std::exchange(version.serving, nullptr);
  version.unloaded = model.current->kind == Operation::Kind::kUnload;
  // In this order: who is told that the version is gone sees it gone in the index.
  watch_closing(name, number, old.get());
  ++model.leaving->left;
  steward_.when_closed(old.get(), Steward::Clock::now() + kUnloadWait,
                       [leaving = model.leaving] { leaving->release(); });
  publish(name, model);
  old->retire();
  SN_LOG(Info, "model '{}' version {} is unloaded", name, number);
}

void Reconciler::watch_closing(const std::string& name, int64_t number,
                               const ModelVersion* version) {
  ++models_[name].versions[number].closing;
  steward_.when_closed(version, Steward::Clock::time_point::max(),
                       [this, name, number] { closed(name, number); });
}

void Reconciler::closed(const std::string& name, int64_t number) {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    note_closed(name, number, answers);
  }
  for (Answer& answer : answers) answer();
}

void Reconciler::note_closed(const std::string& name, int64_t number, Answers& answers) {
  const auto model = models_.find(name);
  if (model == models_.end()) return;
  const auto version = model->second.versions.find(number);
  if (version == model->second.versions.end()) return;
  --version->second.closing;
  if (model->second.current) publish(name, model->second);
  advance(name, answers);
}

void Reconciler::finish(const std::string& name, Model& model, Answers& answers) {
  Operation operation = std::move(*model.current);
  model.current.reset();
  if (!operation.done) return;
  base::Status status = operation.refusal;
  if (operation.kind == Operation::Kind::kServe) {
    std::string failures;
    for (const auto& [number, version] : model.versions) {
      if (!version.wanted || !version.failed_mark) continue;
      failures += base::str_cat("version ", number, " is at UNAVAILABLE state: Internal: ",
                                version.attempt ? version.attempt->failure() : "", ";");
    }
    if (!failures.empty()) {
      status = absl::InvalidArgumentError(
          base::str_cat("load failed for model '", name, "': ", failures));
    }
  }
  // An unload is over when what it took is given back; a load does not wait for what it replaced.
  if (operation.kind == Operation::Kind::kServe) {
    answers.emplace_back([done = std::move(operation.done), status]() mutable { done(status); });
    return;
  }
  model.leaving->done = std::move(operation.done);
  model.leaving->status = status;
  answers.emplace_back([leaving = model.leaving] { leaving->release(); });
}

void Reconciler::publish(const std::string& name, const Model& model) {
  ModelEntry entry;
  entry.reason = model.refusal;
  if (model.plan) entry.labels = model.plan->labels;
  for (const auto& [number, version] : model.versions) {
    VersionEntry& shown = entry.versions[number];
    const bool failed = version.attempt && version.failed_mark;
    if (failed) shown.reason = version.attempt->failure();
    if (version.serving) {
      shown.handle = version.serving;
      shown.state = "READY";
    } else if (version.attempt) {
      shown.handle = version.attempt;
      shown.state = failed ? "UNAVAILABLE" : "LOADING";
    } else if (version.closing > 0) {
      shown.state = "UNLOADING";
    } else if (version.unloaded) {
      shown.state = "UNAVAILABLE";
      shown.reason = "unloaded";
    } else if (version.wanted) {
      shown.state = "LOADING";  // its turn comes
    } else {
      entry.versions.erase(number);
    }
  }
  look_up_.replace(name, std::move(entry));
}

// Drops the versions that nothing is left to say of; true when the model itself is such.
bool Reconciler::forget_what_is_gone(const std::string& name, Model& model) {
  for (auto& [number, version] : model.versions) {
    if (!version.wanted && !model.busy) version.attempt.reset();
  }
  std::erase_if(model.versions, [](const auto& one) {
    const Version& version = one.second;
    return !version.wanted && !version.serving && !version.attempt && version.closing == 0 &&
           !version.unloaded;
  });
  if (!model.versions.empty() || !model.refusal.empty()) return false;
  look_up_.erase(name);
  models_.erase(name);
  return true;
}

base::Status Reconciler::add(const VersionHandle& version, const base::Status& status) {
  std::lock_guard lock(mutex_);
  Model& model = models_[version->name()];
  Version& record = model.versions[version->version()];
  if (record.serving || record.attempt) {
    return absl::AlreadyExistsError(base::str_cat("two models are called '", version->name(), "' (",
                                                  version->path(), "); name one with NAME=PATH"));
  }
  DesiredVersion wanted;
  wanted.number = version->version();
  wanted.path = wanted.place = version->path();
  record.wanted = wanted;
  if (status.ok()) {
    record.serving = version;
  } else {
    record.attempt = version;
    record.failed_mark = 0;
  }
  publish(version->name(), model);
  return status;
}

void Reconciler::stop() {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    if (stopping_.exchange(true)) return;
  }
  if (loaders_) loaders_->stop();
  {
    std::lock_guard lock(mutex_);
    for (auto& [name, model] : models_) {
      if (model.current) model.waiting.push_front(std::move(*model.current));
      model.current.reset();
      for (Operation& operation : model.waiting) {
        if (!operation.done) continue;
        answers.emplace_back(
            [done = std::move(operation.done)]() mutable { done(server_stops()); });
      }
      model.waiting.clear();
    }
  }
  for (Answer& answer : answers) answer();
}

}  // namespace supernova::model
