// The engines of this process: those built in (the generated registration list) and those loaded
// from shared libraries, each used in this process or in a worker process. Filled at start; after
// that, all but adding is safe from any thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace supernova::engine {

enum class Isolation {
  kInProcess,
  kWorker,     // a worker for all models of that engine on that device
  kOwnWorker,  // a worker for one model alone
};
// "in-process", "worker" or "own-worker"; INVALID_ARGUMENT for anything else.
base::Result<Isolation> parse_isolation(std::string_view text);
std::string_view isolation_name(Isolation isolation);

// Where engines run when the model does not say, and the limits of workers.
struct WorkerRules {
  // By the engine's name; "" = every other one. Without an entry, what is built in runs in this
  // process on the CPU; libraries, and whatever loads a vendor's for its device, run in a worker.
  std::map<std::string, Isolation, std::less<>> isolation;
  // Built-in engines whose models run in a worker where nothing above says otherwise; questions
  // are answered in this process.
  std::set<std::string, std::less<>> in_workers;
  Options options;  // worker.*, where the model does not say (worker/worker_engine.h)
};

// "[NAME=]PATH" of an engine's library. A PATH without a folder means the file here where there is
// one, else the one that the system's loader finds.
struct EngineLibrary {
  explicit EngineLibrary(std::string_view text);
  std::string name;  // "" = as it calls itself
  std::string path;
};

class Catalogue {
 public:
  // From now on engines may run in workers: `worker_engine` is the table that drives one
  // (worker/worker_engine.h). Before this, and in processes that are workers themselves, all run
  // in-process. Before engines are added.
  void use_workers(sn_engine_entry_fn worker_engine, WorkerRules rules);

  // Registers a built-in engine under its folder's name, with the formats that it takes, which are
  // its engine_info's; none = only it knows. Opened when first needed, so that an unused engine
  // costs nothing. Called by generated code only.
  void add_builtin(std::string name, sn_engine_entry_fn entry,
                   std::vector<std::string> formats = {});
  // Adds an out-of-tree engine, "[NAME=]PATH", and opens it at once where it will run; two versions
  // of one library need names. Refuses a name that is taken. One that can't be opened is added
  // nevertheless, under its name or its file's, and tried again when it is asked for. One without a
  // path is INVALID_ARGUMENT.
  base::Status add_library(std::string_view library, const Options& options);

  // The engine of that name as a model with these options is to use it on that device: its option
  // `isolation` says where, else the rules. Workers are shared by all with the same engine, device
  // and limits, and end when nobody uses them any more; `owner` (the model) names one of its own.
  base::Result<std::shared_ptr<Engine>> use(std::string_view name, const sn_device& device,
                                            const Options& options, std::string_view owner = {});

  // Where use() would have it.
  base::Result<Isolation> isolation(std::string_view name, const sn_device& device,
                                    const Options& options) const;

  // How long a model with these options may take to be opened and run for the first time
  // (worker.load_timeout_ms, else the rules).
  std::chrono::milliseconds load_limit(const Options& options) const;

  // The engine of that name to ask questions, opened if need be; NOT_FOUND lists the names there
  // are. It runs where the rules say.
  base::Result<Engine*> find(std::string_view name);
  // The formats that the engine takes, where they are known without opening it: of what is built
  // in, and of a library that could be opened when it was added.
  std::optional<std::vector<std::string>> known_formats(std::string_view name) const;
  // Opens that engine, or where the name is empty each that takes one of the formats, before it is
  // needed. A failure shows when it is.
  void open_early(std::string_view name, const std::set<std::string>& formats);
  std::vector<std::string> names() const;
  bool has(std::string_view name) const { return entry_of(name) != nullptr; }
  // NOT_FOUND, with the names there are.
  base::Status unknown(std::string_view name) const;

 private:
  struct Entry;
  struct Place;
  Entry* entry_of(std::string_view name) const;
  enum class Purpose { kQuestions, kModels };
  base::Result<Isolation> isolation_of(const Entry& entry, const sn_device& device,
                                       const Options& options, Purpose purpose) const;
  base::Result<std::shared_ptr<Engine>> open_worker(Entry& entry, const Place& place);
  base::Result<std::shared_ptr<Engine>> open_at(Entry& entry, const Place& place);
  base::Result<Engine*> open(Entry& entry);

  std::vector<std::shared_ptr<Entry>> entries_;
  sn_engine_entry_fn worker_engine_ = nullptr;
  WorkerRules rules_;
};

// Generated from the extension folders under src/engine.
void register_builtin_engines(Catalogue& catalogue);

}  // namespace supernova::engine
