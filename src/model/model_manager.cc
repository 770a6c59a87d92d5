#include "model/model_manager.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "base/log.h"

namespace supernova::model {
namespace {

// A change must hold for two looks; the second one need not wait for the next poll.
constexpr std::chrono::milliseconds kSettleInterval{1000};

base::Status not_explicit() {
  return absl::UnavailableError(
      "explicit model load / unload is not allowed if polling is enabled");
}

// Two names per line of a failure: which model, and why.
std::string failure_line(const std::string& name, const base::Status& status) {
  const std::string_view text = base::message(status);
  if (text.find("'" + name + "'") != std::string_view::npos) return std::string(text);
  return base::str_cat("model '", name, "': ", text);
}

const SeenModel* find_seen(const SeenModels& models, std::string_view name) {
  const auto at = models.find(name);
  return at == models.end() ? nullptr : &at->second;
}

bool same(const SeenModel* a, const SeenModel* b) {
  return a == nullptr || b == nullptr ? a == b : *a == *b;
}

// For messages: "to have it tried again, ...".
std::string_view way_to_try_again(ControlMode mode) {
  switch (mode) {
    case ControlMode::kNone:
      return "restart the server";
    case ControlMode::kPoll:
      return "replace or touch the model's files";
    case ControlMode::kExplicit:
      return "load the model again";
  }
  return "";
}

}  // namespace

ModelManager::ModelManager(tensor::ArtefactProvider& provider, engine::Catalogue& catalogue,
                           device::DeviceList* devices)
    : provider_(provider),
      devices_(devices != nullptr ? *devices : own_devices_),
      opener_(provider, catalogue, devices_),
      reconciler_(opener_, steward_, look_up_) {}

ModelManager::~ModelManager() { drain(); }

base::Status ModelManager::load(const VersionSource& source, const LoadOptions& options) {
  const VersionHandle version = steward_.own(
      std::make_unique<ModelVersion>(source.name, source.version, source.path,
                                     reconciler_.statistics_of(source.name, source.version)));
  ModelPlan plan;
  plan.name = source.name;
  version->start_loading();
  const base::Status status = opener_.open(*version, plan, options);
  if (!status.ok()) version->fail(status);
  return base::annotate(reconciler_.add(version, status),
                        base::str_cat("model '", source.name, "'"));
}

bool ModelManager::recognises(const std::string& path) const {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  const uint64_t mark = static_cast<uint64_t>(info.st_mtim.tv_nsec) ^
                        static_cast<uint64_t>(info.st_mtim.tv_sec) << 20 ^
                        static_cast<uint64_t>(info.st_size) << 40 ^
                        static_cast<uint64_t>(info.st_ino);
  // What is in a folder changes without the folder: only files are remembered.
  const bool file = S_ISREG(info.st_mode);
  if (file) {
    std::lock_guard lock(recognised_mutex_);
    const auto at = recognised_.find(path);
    if (at != recognised_.end() && at->second.first == mark) return at->second.second;
  }
  const bool known = provider_.recognises(path);
  if (file) {
    std::lock_guard lock(recognised_mutex_);
    recognised_[path] = {mark, known};
  }
  return known;
}

std::vector<Look> ModelManager::look(std::string_view only) const {
  const auto recognise = [this](const std::string& path) { return recognises(path); };
  std::vector<Look> looks;
  for (const VersionSource& source : options_.models) {
    if (only.empty() || source.name == only) looks.push_back(look_at_model(source, recognise));
  }
  for (const std::string& folder : options_.repositories) {
    looks.push_back(look_at_repository(folder, recognise, only));
  }
  return looks;
}

// Logs each problem once, and when it is over.
void ModelManager::report(const std::vector<Look>& looks) {
  std::set<std::string> now;
  for (const Look& look : looks) {
    if (!look.status.ok()) now.emplace(base::message(look.status));
    now.insert(look.problems.begin(), look.problems.end());
  }
  for (const auto& [name, model] : merge(looks)) {
    if (!model.problem.empty()) now.insert(model.problem);
  }
  for (const std::string& problem : now) {
    if (!reported_.contains(problem)) SN_LOG(Warning, "{}", problem);
  }
  for (const std::string& problem : reported_) {
    if (!now.contains(problem)) SN_LOG(Info, "no longer: {}", problem);
  }
  reported_ = std::move(now);
}

// What can't be served as it lies there is an operation too: its reason is shown, and what serves
// goes on.
Operation ModelManager::operation_for(const SeenModel& seen, std::string_view config) const {
  Operation operation;
  const auto plan = [&]() -> base::Status {
    SN_ASSIGN(auto parsed, read_config(seen, config));
    SN_ASSIGN(operation.plan, make_plan(seen, std::move(parsed)));
    return {};
  };
  operation.refusal = plan();
  if (!operation.refusal.ok()) {
    operation.kind = Operation::Kind::kRefuse;
    // What the look found has been reported.
    if (seen.problem.empty()) SN_LOG(Error, "{}", failure_line(seen.name, operation.refusal));
  }
  return operation;
}

std::vector<std::string> ModelManager::load_and_wait(const SeenModels& models) {
  std::vector<std::pair<std::string, std::future<base::Status>>> answers;
  for (const auto& [name, seen] : models) {
    Operation operation = operation_for(seen, "");
    auto answer = std::make_shared<std::promise<base::Status>>();
    answers.emplace_back(name, answer->get_future());
    operation.done = [answer](const base::Status& status) { answer->set_value(status); };
    reconciler_.submit(name, std::move(operation));
  }
  std::vector<std::string> failures;
  for (auto& [name, answer] : answers) {
    const base::Status status = answer.get();
    if (!status.ok()) failures.push_back(failure_line(name, status));
  }
  return failures;
}

base::Result<std::vector<std::string>> ModelManager::start(const ManagerOptions& options) {
  SN_CHECK(!started_);
  options_ = options;
  looks_ = look();
  for (const Look& look : looks_) SN_TRY(look.status);
  report(looks_);
  seen_ = merge(looks_);
  SeenModels wanted = seen_;
  if (options_.control == ControlMode::kExplicit) {
    const auto& names = options_.load_at_start;
    for (const std::string& name : names) {
      if (name == "*" || seen_.contains(name)) continue;
      return absl::NotFoundError(
          base::str_cat("--load-model ", name, ": no repository holds such a model"));
    }
    const auto is_wanted = [&](const std::string& name) {
      const auto named = [&](const VersionSource& source) { return source.name == name; };
      return std::find(names.begin(), names.end(), name) != names.end() ||
             std::find(names.begin(), names.end(), "*") != names.end() ||
             std::any_of(options_.models.begin(), options_.models.end(), named);
    };
    std::erase_if(wanted, [&](const auto& model) { return !is_wanted(model.first); });
  }
  started_ = true;
  options_.load.memory_budget = options_.memory_budget;
  options_.load.try_again = way_to_try_again(options_.control);
  reconciler_.start(options_.load, options_.memory_budget, options_.loader_threads);
  std::vector<std::string> failures = load_and_wait(wanted);
  applied_ = std::move(wanted);
  if (options_.control == ControlMode::kPoll) poll_thread_ = std::thread([this] { poll(); });
  return failures;
}

std::vector<Look> ModelManager::believable(const std::vector<Look>& now) {
  std::vector<Look> believed;
  for (size_t i = 0; i < now.size(); ++i) believed.push_back(believe(looks_[i], now[i]));
  return believed;
}

// Tells the reconciler of every model that is as it was at the look before and other than it has
// been told; false when something has yet to settle.
bool ModelManager::look_again() {
  looks_ = believable(look());
  report(looks_);
  SeenModels now = merge(looks_);
  std::set<std::string> names;
  for (const auto* models : {&now, &seen_, &applied_}) {
    for (const auto& [name, model] : *models) names.insert(name);
  }
  bool settled = true;
  for (const std::string& name : names) {
    const SeenModel* const seen = find_seen(now, name);
    if (!same(seen, find_seen(seen_, name))) {
      settled = false;
      continue;
    }
    if (same(seen, find_seen(applied_, name))) continue;
    Operation operation;
    if (seen == nullptr) {
      operation.kind = Operation::Kind::kForget;
      applied_.erase(name);
    } else {
      operation = operation_for(*seen, "");
      applied_[name] = *seen;
    }
    reconciler_.submit(name, std::move(operation));
  }
  seen_ = std::move(now);
  return settled;
}

void ModelManager::poll() {
  bool settled = true;
  std::unique_lock lock(poll_mutex_);
  while (true) {
    const auto pause =
        settled ? options_.poll_interval : std::min(options_.poll_interval, kSettleInterval);
    if (poll_wake_.wait_for(lock, pause, [this] { return poll_stops_; })) return;
    lock.unlock();
    settled = look_again();
    lock.lock();
  }
}

std::vector<IndexEntry> ModelManager::index(bool only_ready) const {
  std::vector<IndexEntry> entries = look_up_.index(only_ready);
  if (only_ready || !started_ || options_.control != ControlMode::kExplicit) return entries;
  std::set<std::string> known;
  for (const IndexEntry& entry : entries) known.insert(entry.name);
  for (const std::string& folder : options_.repositories) {
    for (const std::string& name : names_in_repository(
             folder, [this](const std::string& path) { return recognises(path); })) {
      if (known.insert(name).second) entries.push_back({name, "", "", ""});
    }
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

base::Result<Operation> ModelManager::load_operation(const std::string& name,
                                                     const LoadRequest& request) const {
  const auto failed = [&](std::string_view why) {
    return absl::InvalidArgumentError(base::str_cat("failed to load '", name, "', ", why));
  };
  SeenModel seen;
  std::shared_ptr<const TemporaryFolder> folder;
  if (!request.files.empty()) {
    SN_TRY(check_model_name(name));
    SN_ASSIGN(folder, store_uploaded_files(request.files));
    seen = look_at_model({name, 1, folder->path()}, [](const auto&) { return false; }).models[0];
  } else {
    const std::vector<Look> looks = look(name);
    SeenModels models = merge(looks);
    const auto at = models.find(name);
    if (at == models.end()) {
      for (const Look& look : looks) {
        if (!look.status.ok()) return failed(base::message(look.status));
      }
      return failed("failed to poll from model repository");
    }
    seen = std::move(at->second);
  }
  Operation operation = operation_for(seen, request.config);
  if (!operation.refusal.ok()) operation.refusal = failed(base::message(operation.refusal));
  operation.plan.files = std::move(folder);
  operation.retry = true;
  return operation;
}

void ModelManager::load_explicitly(std::string name, LoadRequest request, LifecycleDone done) {
  if (!started_ || options_.control != ControlMode::kExplicit) return done(not_explicit());
  if (!request.files.empty() && request.config.empty()) {
    return done(absl::InvalidArgumentError(base::str_cat(
        "failed to load '", name,
        "', files in the request need a configuration beside them (parameter 'config')")));
  }
  reconciler_.run_on_loader([this, name = std::move(name), request = std::move(request),
                             done = std::move(done)]() mutable {
    devices_.forget();  // one may have been plugged in, or again
    auto operation = load_operation(name, request);
    request = {};
    if (!operation.ok()) {
      SN_LOG(Error, "{}", base::message(operation.status()));
      return done(operation.status());
    }
    operation->done = std::move(done);
    reconciler_.submit(name, *std::move(operation));
  });
}

void ModelManager::unload_explicitly(std::string name, bool, LifecycleDone done) {
  if (!started_ || options_.control != ControlMode::kExplicit) return done(not_explicit());
  Operation operation;
  operation.kind = Operation::Kind::kUnload;
  operation.done = std::move(done);
  reconciler_.submit(name, std::move(operation));
}

void ModelManager::drain() {
  {
    std::lock_guard lock(poll_mutex_);
    poll_stops_ = true;
  }
  poll_wake_.notify_all();
  if (poll_thread_.joinable()) poll_thread_.join();
  reconciler_.stop();
  for (const VersionHandle& version : list()) version->drain();
  steward_.stop();
}

}  // namespace supernova::model
