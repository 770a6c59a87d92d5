// RemoteEngine: what the host asks for.
#include <filesystem>

#include "engine/abi_calls.h"
#include "engine/handles.h"
#include "engine/worker/remote_engine.h"

namespace supernova::engine::worker {
namespace {

// How often a question or a load is asked again when its worker was killed.
constexpr int kMaxTries = 10;

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

}  // namespace

RemoteEngine::Worker RemoteEngine::wait_for_worker() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, options_.load_timeout,
                    [&] { return stopping_ || (worker_ != nullptr && serving_ != 0); });
  return serving_ != 0 ? worker_ : nullptr;
}

base::Result<std::string> RemoteEngine::ask(MessageType type, std::string_view body, int file) {
  for (int i = 0; i < kMaxTries; ++i) {
    const Worker worker = wait_for_worker();
    if (worker == nullptr) break;
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

// Asks until it is answered, by a worker that is still there when `keep_it` has been called. A
// worker that ends over it while nothing else was in it is blamed on it, and what is to be opened
// is tried once more; where runs were, it is tried again without them.
base::Result<std::string> RemoteEngine::load(const std::string& digest, const Order& order,
                                             const std::function<void()>& keep_it,
                                             const Sink& sink) {
  std::lock_guard one_at_a_time(load_mutex_);
  bool alone = false;
  const auto pause_runs = [&](int change) {
    std::lock_guard lock(mutex_);
    pauses_ += change;
    update_gate();
  };
  for (int i = 0; i < kMaxTries; ++i) {
    if (!quarantine_.empty()) {
      if (const auto reason = quarantine_.model_reason(digest)) {
        return absl::UnavailableError(base::str_cat("could not be opened: ", *reason));
      }
    }
    if (alone) pause_runs(1);
    const Worker worker = wait_for_worker();
    if (worker != nullptr && alone) runs_.wait_until_idle(options_.load_timeout);
    bool died = false;
    {
      std::lock_guard lock(mutex_);
      is_loading_ = true;
    }
    const auto start = std::chrono::steady_clock::now();
    base::Result<std::string> reply =
        worker == nullptr ? base::Status(absl::UnavailableError("there is no worker that serves"))
                          : worker->call(order.type, order.body, files_of(order.file),
                                         options_.load_timeout, &died, sink);
    size_t runs_begun = 0;
    bool kept = false;
    {
      std::lock_guard lock(mutex_);
      is_loading_ = false;
      runs_begun = started_at_death_;
      kept = reply.ok() && worker_ == worker && serving_ != 0;
      if (kept && keep_it) keep_it();
    }
    if (alone) pause_runs(-1);
    if (kept || (!died && !reply.ok())) return reply;
    if (!died || !blames(worker->end().cause)) continue;
    const WorkerEnd& end = worker->end();
    const bool timed_out = std::chrono::steady_clock::now() - start >= options_.load_timeout;
    if (runs_begun == 0 || timed_out || alone) {
      quarantine_.record_load_crash(digest, end.cause, end.reason);
      const auto reason = quarantine_.model_reason(digest);
      if (reason || timed_out || sink) {
        return absl::UnavailableError(
            base::str_cat("could not be opened: ", reason ? *reason : end.reason));
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
  return load(digest_of(artefact), order, {}, sink).status();
}

// The host's digest; where it has none, one that tells files of this machine apart.
std::string RemoteEngine::digest_of(const sn_artefact& artefact) const {
  if (artefact.digest != nullptr && *artefact.digest != '\0') return artefact.digest;
  const std::string path = artefact.path != nullptr ? artefact.path : "";
  if (artefact.data == nullptr) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error).time_since_epoch().count();
    const auto size = std::filesystem::file_size(path, error);
    return base::str_cat(options_.command.name, ' ', path, ' ', static_cast<int64_t>(time), ' ',
                         static_cast<uint64_t>(size));
  }
  const std::string_view bytes(static_cast<const char*>(artefact.data), artefact.data_size);
  return base::str_cat(options_.command.name, ' ', path, ' ', bytes.size(), ' ',
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
  SN_ASSIGN(std::string reply, load(model->digest, order, [&] { models_.push_back(model); }));
  model->info = std::make_unique<ModelInfo>(std::move(reply));
  if (!model->info->ok()) {
    close_model(model);
    return absl::InternalError("what the worker says of the model makes no sense");
  }
  // Before, it may have been known to crash.
  model->is_suspect = !quarantine_.empty();
  quarantine_.record_load(model->digest);
  return model;
}

void RemoteEngine::close_model(const std::shared_ptr<RemoteModel>& model) {
  close(kModelClose, model->key, [&] { std::erase(models_, model); });
}

void RemoteEngine::close(MessageType type, uint64_t key, const std::function<void()>& forget) {
  std::lock_guard no_opening(reopen_mutex_);
  Worker worker;
  {
    std::lock_guard lock(mutex_);
    forget();
    worker = serving_ == 0 ? nullptr : worker_ != nullptr ? worker_ : coming_;
  }
  if (worker == nullptr) return;
  // Who hears the worker can't wait for it.
  if (RemoteRuns::hears_workers()) return worker->tell(type, 0, keys({key}));
  worker->call(type, keys({key}), {}, options_.load_timeout).status().IgnoreError();
}

base::Result<std::unique_ptr<RemoteInstance>> RemoteEngine::open_instance(
    const std::shared_ptr<RemoteModel>& model, const sn_device& device, const sn_options* options) {
  SN_TRY(check_open(*model));
  auto instance = std::make_unique<RemoteInstance>();
  instance->model = model;
  instance->device = Device(device);
  instance->options = read_options(options);
  {
    std::lock_guard lock(mutex_);
    instance->key = next_key_++;
  }
  SN_TRY(load(model->digest, instance_order(*instance), [&] {
           model->instances.push_back(instance.get());
           wants_spare_ = options_.spare;
           changed_.notify_all();
         }).status());
  return instance;
}

void RemoteEngine::close_instance(RemoteInstance& instance) {
  close(kInstanceClose, instance.key, [&] { std::erase(instance.model->instances, &instance); });
  runs_.trim_memory();
}

base::Status RemoteEngine::instance_info(RemoteInstance& instance) {
  SN_TRY(check_open(*instance.model));
  SN_TRY(quarantined(*instance.model, nullptr));
  {
    std::lock_guard lock(mutex_);
    if (instance.info != nullptr) return {};
  }
  // It is asked often, so the worker is asked once.
  SN_ASSIGN(std::string reply, ask(kInstanceInfo, keys({instance.key})));
  auto info = std::make_unique<Verdict>(std::move(reply));
  if (!info->ok()) return absl::InternalError("what the worker says of the instance is no verdict");
  std::lock_guard lock(mutex_);
  if (instance.info == nullptr) instance.info = std::move(info);
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
  close(kStateClose, state.key, [] {});
}

base::Status RemoteEngine::check_open(RemoteModel& model) {
  if (!model.is_broken.load(std::memory_order_acquire)) return {};
  std::lock_guard lock(model.mutex);
  return absl::UnavailableError(model.broken);
}

int32_t RemoteEngine::run(RemoteInstance& instance, const sn_run& run, sn_error* error) {
  const auto status = [&]() -> base::Status {
    SN_TRY(check_open(*instance.model));
    SN_TRY(quarantined(*instance.model, &run));
    const auto* const state = reinterpret_cast<const RemoteState*>(run.state);
    if (state != nullptr && state->worker != serving_) {
      return absl::FailedPreconditionError(
          "the state of the sequence went with its worker; start the sequence anew");
    }
    return {};
  }();
  if (status.ok()) return runs_.run(instance, run, error);
  return fail(status, error);
}

}  // namespace supernova::engine::worker
