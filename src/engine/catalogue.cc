#include "engine/catalogue.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <utility>

#include "base/long_wait.h"
#include "device/vulkan/choose.h"
#include "engine/handles.h"
#include "engine/option_names.h"

namespace supernova::engine {

struct Catalogue::Entry {
  std::string name;
  sn_engine_entry_fn entry = nullptr;  // of what is built in
  std::string library;                 // of what is not
  std::vector<std::string> formats;    // empty = not known before it is open
  Options options;
  std::mutex mutex;
  std::shared_ptr<Engine> home;                                // answers questions; open for good
  std::shared_ptr<Engine> in_process;                          // once it has been asked for
  std::map<std::string, std::weak_ptr<EngineHandle>> workers;  // those shared, by Place::key
};

// Where one user of an engine wants it.
struct Catalogue::Place {
  Isolation isolation = Isolation::kInProcess;
  std::string device;
  std::string name;  // of the worker, in logs and metrics
  Options worker;    // worker.*
  // Users of the same key share a worker.
  std::string key() const {
    std::string key = device;
    for (const auto& [option, value] : worker) key += base::str_cat('\n', option, '=', value);
    return key;
  }
};

namespace {

const sn_device kCpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};

bool is_for_worker(std::string_view option) { return option.starts_with("worker."); }

// Models say something of the worker they run in; which program and engine it is they don't.
base::Status check_worker_option(std::string_view option) {
  constexpr std::string_view kOfModels[] = {kWorkerMemory, kWorkerRunTimeout, kWorkerLoadTimeout,
                                            kWorkerEnvironment, kWorkerSpare};
  if (!is_for_worker(option) ||
      std::find(std::begin(kOfModels), std::end(kOfModels), option) != std::end(kOfModels)) {
    return {};
  }
  return absl::InvalidArgumentError(base::str_cat(
      "there is no option '", option, "'; there is: ", base::str_join(kOfModels, ", ")));
}

std::string device_name(const sn_device& device) {
  if (device.id != nullptr && *device.id != '\0') return device.id;
  return device.kind == SN_DEVICE_CPU ? "cpu"
                                      : base::str_cat("device", device.kind, ".", device.ordinal);
}

}  // namespace

std::string_view isolation_name(Isolation isolation) {
  switch (isolation) {
    case Isolation::kInProcess:
      return "in-process";
    case Isolation::kWorker:
      return "worker";
    case Isolation::kOwnWorker:
      return "own-worker";
  }
  return "unknown";
}

base::Result<Isolation> parse_isolation(std::string_view text) {
  if (text == "in-process") return Isolation::kInProcess;
  if (text == "worker") return Isolation::kWorker;
  if (text == "own-worker") return Isolation::kOwnWorker;
  return absl::InvalidArgumentError(
      base::str_cat("isolation '", text, "' is not known; give in-process, worker or own-worker"));
}

EngineLibrary::EngineLibrary(std::string_view text) : path(text) {
  const size_t equals = text.find('=');
  // A path may hold '=' as well; a name holds no '/'.
  const bool has_name = equals != std::string_view::npos && equals != 0 &&
                        text.substr(0, equals).find('/') == std::string_view::npos;
  if (has_name) {
    name = text.substr(0, equals);
    path = text.substr(equals + 1);
  }
  std::error_code error;
  if (path.find('/') == std::string::npos && std::filesystem::exists(path, error)) {
    path.insert(0, "./");
  }
}

void Catalogue::use_workers(sn_engine_entry_fn worker_engine, WorkerRules rules) {
  worker_engine_ = worker_engine;
  rules_ = std::move(rules);
}

void Catalogue::add_builtin(std::string name, sn_engine_entry_fn entry,
                            std::vector<std::string> formats) {
  auto added = std::make_shared<Entry>();
  added->name = std::move(name);
  added->entry = entry;
  added->formats = std::move(formats);
  entries_.push_back(std::move(added));
}

base::Status Catalogue::add_library(std::string_view library, const Options& options) {
  EngineLibrary given(library);
  if (given.path.empty()) {
    return absl::InvalidArgumentError(
        base::str_cat("engine library '", library, "' names no file; give it as [NAME=]FILE"));
  }
  auto added = std::make_shared<Entry>();
  added->name = given.name;
  added->library = given.path;
  added->options = options;
  base::Status opened = open(*added).status();
  if (opened.ok() && added->name.empty()) {
    added->name = added->home->name();
    // Only now it is known what the rules say of it.
    const auto where = isolation_of(*added, kCpu, {}, Purpose::kQuestions);
    if (where.ok() && *where == Isolation::kInProcess && !added->in_process) {
      added->home.reset();
      opened = open(*added).status();
    }
  }
  if (added->name.empty()) added->name = std::filesystem::path(given.path).stem().string();
  if (opened.ok()) added->formats = added->home->formats();
  if (entry_of(added->name) != nullptr) {
    return absl::AlreadyExistsError(
        base::str_cat("engine library ", given.path,
                      given.name.empty() ? " calls itself '" : " is to be called '", added->name,
                      "', a name that is taken; give it another one, NAME=", given.path));
  }
  entries_.push_back(std::move(added));
  return opened;
}

Catalogue::Entry* Catalogue::entry_of(std::string_view name) const {
  for (const auto& entry : entries_) {
    if (entry->name == name) return entry.get();
  }
  return nullptr;
}

base::Status Catalogue::unknown(std::string_view name) const {
  return absl::NotFoundError(
      base::str_cat("no engine '", name, "' here; there is: ", base::str_join(names(), ", ")));
}

base::Result<Isolation> Catalogue::isolation(std::string_view name, const sn_device& device,
                                             const Options& options) const {
  Entry* const entry = entry_of(name);
  return entry != nullptr ? isolation_of(*entry, device, options, Purpose::kModels) : unknown(name);
}

base::Result<Isolation> Catalogue::isolation_of(const Entry& entry, const sn_device& device,
                                                const Options& options, Purpose purpose) const {
  const auto asked = options.find(kIsolation);
  Isolation isolation = Isolation::kInProcess;
  if (asked != options.end() && !asked->second.empty()) {
    SN_ASSIGN(isolation, parse_isolation(asked->second));
  } else if (const auto own = rules_.isolation.find(entry.name); own != rules_.isolation.end()) {
    isolation = own->second;
  } else if (const auto all = rules_.isolation.find(""); all != rules_.isolation.end()) {
    isolation = all->second;
  } else if (worker_engine_ != nullptr &&
             (!entry.library.empty() || device.kind != SN_DEVICE_CPU ||
              (purpose == Purpose::kModels && rules_.in_workers.contains(entry.name)))) {
    isolation = Isolation::kWorker;
  }
  if (isolation != Isolation::kInProcess && worker_engine_ == nullptr) {
    return absl::FailedPreconditionError(base::str_cat(
        "engine '", entry.name, "': this program runs engines in its own process only; leave ",
        kIsolation, " out"));
  }
  return isolation;
}

std::chrono::milliseconds Catalogue::load_limit(const Options& options) const {
  for (const Options* given : {&options, &rules_.options}) {
    const auto found = given->find(kWorkerLoadTimeout);
    int64_t ms = 0;
    if (found == given->end() || !base::parse_whole(found->second, ms)) continue;
    return ms > 0 ? std::min(std::chrono::milliseconds(ms), kNoLoadTimeout) : kNoLoadTimeout;
  }
  return kDefaultLoadTimeout;
}

base::Result<std::shared_ptr<Engine>> Catalogue::open_worker(Entry& entry, const Place& place) {
  Options options = entry.options;
  for (const auto& [option, value] : place.worker) options[option] = value;
  options["worker.name"] = place.name;
  if (entry.library.empty()) {
    options["worker.engine"] = entry.name;
  } else {
    options["worker.library"] = entry.library;
  }
  const std::string what = entry.library.empty()
                               ? base::str_cat("engine '", entry.name, "'")
                               : base::str_cat("engine library '", entry.library, "'");
  auto engine = Engine::open(worker_engine_, options, what, entry.name);
  if (engine.ok()) return std::shared_ptr<Engine>(*std::move(engine));
  // What the engine says of itself may have it already.
  const bool is_named = base::message(engine.status()).find(what) != std::string_view::npos;
  return is_named ? engine.status() : base::annotate(engine.status(), what);
}

base::Result<std::shared_ptr<Engine>> Catalogue::open_at(Entry& entry, const Place& place) {
  // For a worker to start, or for who has another one started.
  const base::LongWait waits;
  if (place.isolation == Isolation::kOwnWorker) return open_worker(entry, place);
  std::lock_guard lock(entry.mutex);
  if (place.isolation == Isolation::kWorker) {
    const std::string key = place.key();
    if (auto shared = entry.workers[key].lock()) {
      std::shared_ptr<Engine> engine(new Engine);
      engine->handle_ = std::move(shared);
      return engine;
    }
    SN_ASSIGN(auto opened, open_worker(entry, place));
    std::erase_if(entry.workers, [](const auto& worker) { return worker.second.expired(); });
    entry.workers[key] = opened->handle_;
    return opened;
  }
  if (!entry.in_process) {
    SN_ASSIGN(entry.in_process,
              entry.library.empty()
                  ? Engine::open(entry.entry, entry.options, "built-in engine", entry.name)
                  : Engine::open_library(entry.library, entry.options, entry.name));
  }
  return entry.in_process;
}

base::Result<std::shared_ptr<Engine>> Catalogue::use(std::string_view name, const sn_device& device,
                                                     const Options& options,
                                                     std::string_view owner) {
  Entry* const entry = entry_of(name);
  if (entry == nullptr) return unknown(name);
  Place place;
  SN_ASSIGN(place.isolation, isolation_of(*entry, device, options, Purpose::kModels));
  place.device = device_name(device);
  place.name = base::str_cat(entry->name, '@', place.device);
  if (place.isolation == Isolation::kOwnWorker && !owner.empty()) {
    place.name += base::str_cat('/', owner);
  }
  place.worker = rules_.options;
  for (const auto& [option, value] : options) {
    SN_TRY(check_worker_option(option));
    if (is_for_worker(option)) place.worker[option] = value;
  }
  std::string environment =
      device::vulkan::environment_for(device, place.worker[kWorkerEnvironment]);
  if (environment.empty()) {
    place.worker.erase(kWorkerEnvironment);
  } else {
    place.worker[kWorkerEnvironment] = std::move(environment);
  }
  return open_at(*entry, place);
}

base::Result<Engine*> Catalogue::open(Entry& entry) {
  const base::LongWait waits;
  {
    std::lock_guard lock(entry.mutex);
    if (entry.home) return entry.home.get();
  }
  Place place;
  SN_ASSIGN(place.isolation, isolation_of(entry, kCpu, {}, Purpose::kQuestions));
  // Questions don't need a worker of their own, and the first model on the CPU finds this one.
  if (place.isolation == Isolation::kOwnWorker) place.isolation = Isolation::kWorker;
  place.device = device_name(kCpu);
  const std::string file = std::filesystem::path(entry.library).stem().string();
  place.name = base::str_cat(entry.name.empty() ? file : entry.name, '@', place.device);
  place.worker = rules_.options;
  SN_ASSIGN(auto engine, open_at(entry, place));
  std::lock_guard lock(entry.mutex);
  if (!entry.home) entry.home = std::move(engine);
  return entry.home.get();
}

base::Result<Engine*> Catalogue::find(std::string_view name) {
  Entry* const entry = entry_of(name);
  return entry != nullptr ? open(*entry) : unknown(name);
}

std::optional<std::vector<std::string>> Catalogue::known_formats(std::string_view name) const {
  const Entry* const entry = entry_of(name);
  if (entry == nullptr || entry->formats.empty()) return std::nullopt;
  return entry->formats;
}

void Catalogue::open_early(std::string_view name, const std::set<std::string>& formats) {
  for (const auto& entry : entries_) {
    const bool meant = name.empty()
                           ? std::any_of(entry->formats.begin(), entry->formats.end(),
                                         [&](const auto& one) { return formats.contains(one); })
                           : entry->name == name;
    if (meant) open(*entry).status().IgnoreError();
  }
}

std::vector<std::string> Catalogue::names() const {
  std::vector<std::string> names;
  for (const auto& entry : entries_) names.push_back(entry->name);
  return names;
}

}  // namespace supernova::engine
