// RemoteEngine: what the host asks for.
#include <filesystem>

#include "base/long_wait.h"
#include "engine/abi_calls.h"
#include "engine/handles.h"
#include "engine/worker/remote_engine.h"

namespace supernova::engine::worker {
namespace {

// How often a question or a load is asked again when its worker was killed.
constexpr int kMaxTries = 10;
// How often a load is asked again since it found the device lost.
constexpr int kMaxLostDevices = 1;
// Runs wait for a worker for so long before their model is said not to be ready.
constexpr std::chrono::milliseconds kShortOutage{1000};
// For the end of runs that were to end long ago, when their instance is closed.
constexpr std::chrono::milliseconds kLastWait{10'000};

std::vector<int> files_of(const base::File& file) {
  return file.is_open() ? std::vector<int>{file.get()} : std::vector<int>{};
}

base::Result<base::File> file_of_data(const sn_artefact& artefact) {
  if (artefact.data == nullptr) return base::File();
  return sealed_copy("supernova-artefact",
                     {static_cast<const std::byte*>(artefact.data), artefact.data_size});
}

std::string keys(std::initializer_list<uint64_t> numbers) {
  std::string body;
  Writer out(body);
  for (const uint64_t number : numbers) out.number(number);
  return body;
}

// Options that say how to speak of the model, which are not the engine's.
void take_words(RemoteModel& model) {
  std::erase_if(model.options, [&](const auto& option) {
    if (option.first == kWorkerModelName) {
      model.what = base::str_cat("model '", option.second, "'");
    } else if (option.first == kWorkerTryAgain) {
      model.try_again = option.second;
    } else {
      return false;
    }
    return true;
  });
}

}  // namespace

RemoteEngine::Worker RemoteEngine::wait_for_worker() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, options_.load_timeout,
                    [&] { return stopping_ || (worker_ != nullptr && serving_ != 0); });
  return serving_ != 0 ? worker_ : nullptr;
}

base::Result<std::string> RemoteEngine::ask(MessageType type, std::string_view body, int file,
                                            Worker* asked) {
  const base::LongWait waits;
  for (int i = 0; i < kMaxTries; ++i) {
    const Worker worker = wait_for_worker();
    if (worker == nullptr) break;
    if (asked != nullptr) *asked = worker;
    bool died = false;
    auto reply = worker->call(type, body, file >= 0 ? std::vector<int>{file} : std::vector<int>{},
                              options_.load_timeout, &died);
    if (!died || (blames(worker->end().cause) && i > 0)) return reply;
  }
  return absl::UnavailableError("there is no worker that serves");
}

base::Result<std::unique_ptr<Verdict>> RemoteEngine::can_run(const sn_artefact* artefact,
                                                             const sn_device& device,
                                                             const sn_options* options) {
  std::string body;
  Writer out(body);
  out.number(artefact != nullptr ? 1 : 0);
  base::File file;
  if (artefact != nullptr) {
    const sn_artefact given = read_struct(artefact);
    write(out, head_of(given));
    SN_ASSIGN(file, file_of_data(given));
  }
  write(out, Device(device));
  write(out, read_options(options));
  SN_ASSIGN(std::string reply, ask(kCanRun, body, file.get()));
  auto verdict = std::make_unique<Verdict>(std::move(reply));
  if (!verdict->ok()) return absl::InternalError("the worker's verdict makes no sense");
  return verdict;
}

// Several at a time, so that one that takes long does not hold up others; a suspicious one alone,
// without runs.
void RemoteEngine::begin_load(bool alone) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock,
                [&] { return stopping_ || (!load_is_alone_ && loads_ < (alone ? 1 : kMaxLoads)); });
  ++loads_;
  if (!alone) return;
  load_is_alone_ = true;
  const RemoteRuns::Failed failed = update_gate();
  lock.unlock();
  runs_.fail_all(failed);
}

void RemoteEngine::end_load(bool alone) {
  RemoteRuns::Failed failed;
  {
    std::lock_guard lock(mutex_);
    --loads_;
    if (alone) {
      load_is_alone_ = false;
      failed = update_gate();
    }
    changed_.notify_all();
  }
  runs_.fail_all(failed);
}

// One attempt at a load, and what was in its worker when that ended over it.
struct RemoteEngine::Attempt {
  base::Result<std::string> reply = absl::UnavailableError("there is no worker that serves");
  Worker worker;
  bool careful = false;
  bool died = false;
  bool kept = false;
  bool timed_out = false;
  size_t runs = 0;
  int loads = 0;
};

void RemoteEngine::try_load(const Order& order, const std::function<void()>& keep_it,
                            const Sink& sink, Attempt& attempt) {
  const Worker& worker = attempt.worker;
  {
    std::lock_guard lock(mutex_);
    ++loads_in_worker_;
  }
  const auto timeout = options_.load_timeout * (attempt.careful ? kCarefulPatience : 1);
  const auto start = std::chrono::steady_clock::now();
  if (worker != nullptr) {
    const uint32_t type = order.type | (attempt.careful ? kCarefully : 0);
    attempt.reply = worker->call(static_cast<MessageType>(type), order.body, files_of(order.file),
                                 timeout, &attempt.died, sink);
  }
  attempt.timed_out = std::chrono::steady_clock::now() - start >= timeout;
  std::lock_guard lock(mutex_);
  --loads_in_worker_;
  attempt.runs = runs_at_death_;
  attempt.loads = loads_at_death_;
  attempt.kept = attempt.reply.ok() && worker_ == worker && serving_ != 0;
  if (attempt.kept && keep_it) keep_it();
}

// Asks until it is answered, by a worker that is still there when `keep_it` has been called. A
// worker that ends over it while nothing else was in it is blamed on it, and what is to be opened
// is tried once more; where runs or other loads were, it is tried again without them.
base::Result<std::string> RemoteEngine::load(const RemoteModel& model, const Order& order,
                                             const std::function<void()>& keep_it,
                                             const Sink& sink) {
  const std::string& digest = model.digest;
  const base::LongWait waits;
  bool alone = false;
  int losses = 0;
  for (int i = 0; i < kMaxTries; ++i) {
    if (const auto reason = quarantine_.model_reason(digest)) {
      return absl::UnavailableError(
          base::str_cat("could not be opened: ", refused(model, *reason)));
    }
    Attempt attempt;
    begin_load(alone);
    attempt.worker = wait_for_worker();
    if (attempt.worker != nullptr && alone) runs_.wait_until_idle(options_.load_timeout);
    attempt.careful = quarantine_.is_costly(Work::kLoad, digest);
    try_load(order, keep_it, sink, attempt);
    end_load(alone);
    // Its device was lost before. Where the next worker can't open it either, it may be the model.
    if (!attempt.died && absl::IsUnavailable(attempt.reply.status()) && !sink &&
        attempt.worker != nullptr && losses++ < kMaxLostDevices) {
      attempt.worker->end_as_lost(base::message(attempt.reply.status()));
      continue;
    }
    if (attempt.kept || (!attempt.died && !attempt.reply.ok())) return std::move(attempt.reply);
    if (!attempt.died || !blames(attempt.worker->end().cause)) continue;
    const WorkerEnd& end = attempt.worker->end();
    // Somebody else's time was over.
    if (end.cause == EndCause::kTimedOut && !attempt.timed_out) continue;
    if ((attempt.runs == 0 && attempt.loads == 1) || attempt.timed_out || alone) {
      quarantine_.record_load_crash(digest, end.cause, end.reason);
      const auto reason = quarantine_.model_reason(digest);
      // Where nothing had been run, another worker has no more memory for it.
      const bool is_hopeless = attempt.careful && end.cause == EndCause::kOutOfMemory &&
                               attempt.worker->board().tail.load() == 0;
      if (reason || attempt.timed_out || is_hopeless || sink) {
        return absl::UnavailableError(
            base::str_cat("could not be opened: ", reason ? refused(model, *reason) : end.reason));
      }
      continue;
    }
    if (sink) return absl::UnavailableError(end.reason);
    alone = true;
  }
  return absl::UnavailableError("its worker was killed again and again");
}

base::Status RemoteEngine::compile(const sn_artefact& given, const sn_device& device,
                                   const sn_options* options, const sn_sink& given_sink) {
  const sn_artefact artefact = read_struct(&given);
  const sn_sink to = read_struct(&given_sink);
  Order order{kCompile, {}, {}};
  Writer out(order.body);
  write(out, head_of(artefact));
  write(out, Device(device));
  write(out, read_options(options));
  SN_ASSIGN(order.file, file_of_data(artefact));
  const Sink sink = [&](std::string_view name, std::span<const std::byte> content) {
    const int32_t code =
        to.write(to.ctx, std::string(name).c_str(), content.data(), content.size());
    return code == SN_OK ? base::Status() : to_status(code, "what was compiled is not wanted");
  };
  RemoteModel model;  // what of it counts here
  model.digest = digest_of(artefact);
  return load(model, order, {}, sink).status();
}

// The host's digest; where it has none, one that tells files of this machine apart.
std::string RemoteEngine::digest_of(const sn_artefact& artefact) const {
  if (artefact.digest != nullptr && *artefact.digest != '\0') return artefact.digest;
  const std::string path = artefact.path != nullptr ? artefact.path : "";
  const std::string hosted = options_.order.engine + options_.order.library;  // one is empty
  if (artefact.data == nullptr) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error).time_since_epoch().count();
    const auto size = std::filesystem::file_size(path, error);
    return base::str_cat(hosted, ' ', path, ' ', static_cast<int64_t>(time), ' ',
                         static_cast<uint64_t>(size));
  }
  const std::string_view bytes(static_cast<const char*>(artefact.data), artefact.data_size);
  return base::str_cat(hosted, ' ', path, ' ', bytes.size(), ' ',
                       std::hash<std::string_view>()(bytes));
}

base::Result<RemoteEngine::Order> RemoteEngine::model_order(const RemoteModel& model) {
  Order order{kModelOpen, {}, {}};
  Writer out(order.body);
  out.number(model.key);
  write(out, model.head);
  write(out, model.options);
  SN_ASSIGN(order.file, file_of_data(model.artefact));
  return order;
}

RemoteEngine::Order RemoteEngine::instance_order(const RemoteInstance& instance) {
  Order order{kInstanceOpen, keys({instance.model->key, instance.key}), {}};
  Writer out(order.body);
  write(out, instance.device);
  write(out, instance.options);
  return order;
}

base::Result<std::shared_ptr<RemoteModel>> RemoteEngine::open_model(const sn_artefact& given,
                                                                    const sn_options* options) {
  auto model = std::make_shared<RemoteModel>();
  model->engine = this;
  model->artefact = read_struct(&given);
  model->head = head_of(model->artefact);
  model->options = read_options(options);
  take_words(*model);
  model->digest = digest_of(model->artefact);
  // Texts of the host's live until the call returns only.
  model->artefact.format = model->artefact.path = model->artefact.digest = nullptr;
  {
    std::lock_guard lock(mutex_);
    model->key = next_key_++;
  }
  SN_ASSIGN(const Order order, model_order(*model));
  // Whoever loads a model wants it tried, whatever it did before.
  quarantine_.release(model->digest);
  SN_ASSIGN(std::string reply, load(*model, order, [&] { models_.push_back(model); }));
  model->info = std::make_unique<ModelInfo>(std::move(reply));
  if (!model->info->ok()) {
    close_model(model);
    return absl::InternalError("what the worker says of the model makes no sense");
  }
  quarantine_.record_load(model->digest);
  model->is_suspect = quarantine_.knows(model->digest);
  return model;
}

void RemoteEngine::close_model(const std::shared_ptr<RemoteModel>& model) {
  close(kModelClose, model->key, options_.load_timeout, [&] { std::erase(models_, model); });
}

void RemoteEngine::close(MessageType type, uint64_t key, std::chrono::milliseconds timeout,
                         const std::function<void()>& forget) {
  Worker worker;
  {
    // What is forgotten now is not opened again. The worker may take its time to close it, which is
    // nobody else's.
    std::lock_guard no_opening(reopen_mutex_);
    std::lock_guard lock(mutex_);
    forget();
    worker = serving_ == 0 ? nullptr : worker_ != nullptr ? worker_ : coming_;
  }
  if (worker == nullptr) return;
  // Who hears the worker can't wait for it.
  if (RemoteRuns::hears_workers()) return worker->tell(type, 0, keys({key}));
  worker->call(type, keys({key}), {}, timeout).status().IgnoreError();
}

base::Result<std::unique_ptr<RemoteInstance>> RemoteEngine::open_instance(
    const std::shared_ptr<RemoteModel>& model, const sn_device& device, const sn_options* options) {
  SN_TRY(check_open(*model));
  auto instance = std::make_unique<RemoteInstance>();
  instance->model = model;
  instance->device = Device(device);
  instance->options = read_options(options);
  instance->max_concurrency = std::max(1, info_->get().max_concurrency);
  {
    std::lock_guard lock(mutex_);
    instance->key = next_key_++;
  }
  SN_TRY(load(*model, instance_order(*instance), [&] {
           model->instances.push_back(instance.get());
           wants_spare_ = options_.spare;
           changed_.notify_all();
         }).status());
  quarantine_.record_instance(model->digest);
  return instance;
}

void RemoteEngine::close_instance(RemoteInstance& instance) {
  // The worker closes it when its runs are over. Those that don't end are ended with the worker.
  const auto timeout = runs_.has_abandoned(instance) ? std::min(kLastWait, options_.load_timeout)
                                                     : options_.load_timeout;
  close(kInstanceClose, instance.key, timeout,
        [&] { std::erase(instance.model->instances, &instance); });
  runs_.trim_memory();
}

base::Status RemoteEngine::instance_info(RemoteInstance& instance, sn_verdict& verdict) {
  SN_TRY(check_open(*instance.model));
  SN_TRY(quarantined(*instance.model, nullptr));
  SN_TRY(check_serving());
  {
    std::lock_guard lock(mutex_);
    if (instance.info != nullptr) return instance.info->copy_to(verdict), base::Status();
  }
  // It is asked often, so the worker is asked once, unless its device is lost.
  Worker worker;
  SN_ASSIGN(std::string reply, ask(kInstanceInfo, keys({instance.key}), -1, &worker));
  auto info = std::make_unique<Verdict>(std::move(reply));
  if (!info->ok()) return absl::InternalError("what the worker says of the instance is no verdict");
  const std::optional<std::string> lost = info->why_not();
  if (lost) {
    worker->end_as_lost(*lost);
    return absl::UnavailableError(*lost);
  }
  std::lock_guard lock(mutex_);
  if (instance.info == nullptr) instance.info = std::move(info);
  instance.info->copy_to(verdict);
  return {};
}

base::Result<std::unique_ptr<RemoteState>> RemoteEngine::open_state(RemoteInstance& instance) {
  SN_TRY(check_open(*instance.model));
  auto state = std::make_unique<RemoteState>();
  state->instance = &instance;
  {
    std::lock_guard lock(mutex_);
    state->key = next_key_++;
  }
  const Worker worker = wait_for_worker();
  if (worker == nullptr) return absl::UnavailableError("there is no worker that serves");
  state->worker = serving_;
  SN_TRY(worker->call(kStateOpen, keys({instance.key, state->key}), {}, options_.load_timeout)
             .status());
  return state;
}

void RemoteEngine::close_state(const RemoteState& state) {
  if (state.worker != serving_) return;  // it went with its worker
  close(kStateClose, state.key, options_.load_timeout, [] {});
}

// Runs wait for a worker a short while; beyond that the model is better asked elsewhere.
base::Status RemoteEngine::check_serving() {
  const auto since = runs_.waits_since();
  if (!since) return {};
  const auto now = std::chrono::steady_clock::now();
  const bool is_refused = !runs_.refusal().ok();
  if (!is_refused && now - *since <= kShortOutage) return {};
  std::lock_guard lock(mutex_);
  if (worker_ != nullptr && load_is_alone_) {
    return absl::UnavailableError("its worker is busy with a load that ended the one before");
  }
  return absl::UnavailableError(base::str_cat(
      "no worker has been ready for ",
      std::chrono::duration_cast<std::chrono::milliseconds>(now - *since).count() / 1000.0,
      " s; the last time: ", last_end_.empty() ? "it has not started yet" : last_end_));
}

base::Status RemoteEngine::check_open(RemoteModel& model) {
  if (!model.is_broken.load(std::memory_order_acquire)) return {};
  std::lock_guard lock(model.mutex);
  return absl::UnavailableError(model.broken);
}

int32_t RemoteEngine::run(RemoteInstance& instance, const sn_run& run, sn_error* error) {
  bool careful = false;
  const auto status = [&]() -> base::Status {
    SN_TRY(check_open(*instance.model));
    SN_TRY(quarantined(*instance.model, &run));
    careful = instance.model->is_suspect.load(std::memory_order_relaxed) &&
              quarantine_.is_costly(Work::kRun, instance.model->digest);
    const auto* const state = reinterpret_cast<const RemoteState*>(run.state);
    if (state != nullptr && state->worker != serving_) {
      return absl::FailedPreconditionError(
          "the state of the sequence went with its worker; start the sequence anew");
    }
    return {};
  }();
  if (status.ok()) return runs_.run(instance, run, careful, error);
  return fail(status, error);
}

}  // namespace supernova::engine::worker
