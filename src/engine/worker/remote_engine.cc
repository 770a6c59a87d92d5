#include "engine/worker/remote_engine.h"

#include <pthread.h>

#include <filesystem>

#include "base/log.h"
#include "base/usual_priority.h"
#include "device/cpu_limits.h"
#include "engine/handles.h"

namespace supernova::engine::worker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr char kProgram[] = "supernova-worker";

base::Result<milliseconds> read_time(const std::string& key, const std::string& value) {
  uint32_t number = 0;
  if (!base::parse_whole(value, number)) {
    return absl::InvalidArgumentError(
        base::str_cat("option ", key, "=", value, ": give it as a whole number of milliseconds"));
  }
  return milliseconds(number);
}

// Beside this program's file, or where a build has it.
base::Result<std::string> default_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& folder : {self, self.parent_path() / "bin"}) {
    const auto program = folder / kProgram;
    if (std::filesystem::exists(program, error)) return program.string();
  }
  return absl::NotFoundError(base::str_cat("there is no ", (self / kProgram).string(),
                                           "; install supernova-worker beside supernova"));
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// One option of the worker; the others are the engine's.
base::Status read_option(const std::string& key, const std::string& value, RemoteOptions& out) {
  if (key == "worker.engine") {
    out.order.engine = value;
  } else if (key == "worker.library") {
    out.order.library = value;
  } else if (key == "worker.program") {
    out.command.program = value;
  } else if (key == "worker.name") {
    out.record = value;
  } else if (key == "worker.environment") {
    out.command.environment = lines_of(value);
  } else if (key == "worker.memory_byte_size") {
    if (!base::parse_whole(value, out.order.memory_byte_size)) {
      return absl::InvalidArgumentError(
          base::str_cat("option ", key, "=", value, ": give it as a whole number of bytes"));
    }
    out.command.memory_byte_size = out.order.memory_byte_size;
  } else if (key == "worker.load_timeout_ms") {
    SN_ASSIGN(out.load_timeout, read_time(key, value));
    if (out.load_timeout == milliseconds(0)) out.load_timeout = kNoLoadTimeout;
  } else if (key == "worker.run_timeout_ms") {
    SN_ASSIGN(out.run_timeout, read_time(key, value));
  } else if (key == "worker.spare") {
    if (value != "0" && value != "1") {
      return absl::InvalidArgumentError(base::str_cat("option ", key, "=", value, ": give 0 or 1"));
    }
    out.spare = value == "1";
  } else {
    return absl::InvalidArgumentError(base::str_cat("there is no option ", key));
  }
  return {};
}

}  // namespace

base::Result<RemoteOptions> RemoteOptions::read(const sn_options* options) {
  RemoteOptions out;
  for (const auto& [key, value] : read_options(options)) {
    if (key.starts_with("worker.")) {
      SN_TRY(read_option(key, value, out));
    } else {
      out.order.options.emplace_back(key, value);
    }
  }
  if (out.order.engine.empty() == out.order.library.empty()) {
    return absl::InvalidArgumentError(
        "a worker hosts one engine: give either worker.engine or worker.library");
  }
  if (out.record.empty()) {
    out.record = !out.order.engine.empty()
                     ? out.order.engine
                     : std::filesystem::path(out.order.library).stem().string();
  }
  if (out.command.program.empty()) {
    SN_ASSIGN(out.command.program, default_program());
  }
  return out;
}

RemoteEngine::RemoteEngine(RemoteOptions options, std::shared_ptr<WorkerRecord> record,
                           const sn_host* host)
    : options_(std::move(options)),
      host_(host),
      record_(std::move(record)),
      quarantine_(process_quarantine()) {}

base::Result<std::unique_ptr<RemoteEngine>> RemoteEngine::open(const sn_host* host,
                                                               const sn_options* options) {
  SN_ASSIGN(RemoteOptions read, RemoteOptions::read(options));
  read.order.thread_budget = host != nullptr ? host->thread_budget : 0;
  read.order.log_level = static_cast<int32_t>(base::log_level());
  auto record = add_worker_record(read.record);
  read.command.name = record->name();
  std::unique_ptr<RemoteEngine> engine(new RemoteEngine(std::move(read), std::move(record), host));
  // All that belongs to the workers is started there.
  base::at_usual_priority(
      [&] { engine->keeper_ = std::thread([self = engine.get()] { self->keep(); }); });
  std::unique_lock lock(engine->mutex_);
  engine->changed_.wait(lock, [&] { return engine->has_started_; });
  if (!engine->opened_.ok()) {
    const base::Status status = engine->opened_;
    lock.unlock();
    return status;
  }
  lock.unlock();
  return engine;
}

RemoteEngine::~RemoteEngine() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  keeper_.join();
}

void RemoteEngine::end(std::unique_ptr<RemoteEngine> engine) {
  if (!RemoteRuns::hears_workers()) return;
  {
    // The host goes before it.
    std::lock_guard lock(engine->host_mutex_);
    engine->host_ = nullptr;
  }
  std::thread([engine = std::move(engine)] {}).detach();
}

void RemoteEngine::keep() {
  ::pthread_setname_np(::pthread_self(), "worker-keeper");
  RemoteRuns::set_hears_workers();
  const uint64_t number = next_number_++;
  serving_ = number;
  auto first = start_worker(number);
  if (first.ok()) serve_with(*std::move(first));
  std::unique_lock lock(mutex_);
  opened_ = first.status();
  has_started_ = true;
  changed_.notify_all();
  if (!opened_.ok()) return;
  while (!stopping_) {
    if (death_) {
      lock.unlock();
      recover();
      lock.lock();
      continue;
    }
    if (worker_ != nullptr && wants_spare_ && (spare_ == nullptr || spare_ended_) &&
        Clock::now() >= next_spare_) {
      lock.unlock();
      make_spare();
      lock.lock();
      continue;
    }
    lock.unlock();
    look_after_runs();
    lock.lock();
    const auto is_news = [&] { return stopping_ || death_ || (wants_spare_ && !spare_); };
    const auto nap = options_.run_timeout > milliseconds(0)
                         ? std::clamp(options_.run_timeout / 8, milliseconds(5), milliseconds(500))
                         : milliseconds(2000);
    if (!is_news()) changed_.wait_for(lock, nap);
    if (!stopping_ && !death_ && wants_spare_ && Clock::now() < next_spare_) {
      changed_.wait_for(lock, std::min<Clock::duration>(next_spare_ - Clock::now(), nap));
    }
  }
  lock.unlock();
  runs_.fail_all(runs_.go_to(nullptr));
  runs_.attach(nullptr);
  // None may outlive what it tells of its end.
  spare_.reset();
  coming_.reset();
  worker_.reset();
  record_->set_state(WorkerState::kStopped);
  record_->set_pid(0);
  record_->set_spare_pid(0);
}

base::Result<RemoteEngine::Worker> RemoteEngine::start_worker(uint64_t number) {
  WorkerProcess::Handlers handlers;
  handlers.on_message = [this](Message& message) {
    RemoteRuns::set_hears_workers();
    runs_.on_message(message);
  };
  handlers.on_log = [this](int32_t level, std::string_view text) { log(level, text); };
  handlers.on_end = [this, number](const WorkerEnd& end) {
    RemoteRuns::set_hears_workers();
    on_end(number, end);
  };
  SN_ASSIGN(Worker worker, WorkerProcess::start(options_.command, std::move(handlers)));
  std::string body;
  Writer out(body);
  write(out, options_.order);
  SN_ASSIGN(std::string reply, worker->call(kStart, body, {}, options_.load_timeout));
  if (info_ != nullptr) return worker;
  info_ = std::make_unique<EngineInfo>(std::move(reply));
  if (!info_->ok() || info_->get().name == nullptr) {
    return absl::InternalError("the worker says of its engine what makes no sense");
  }
  return worker;
}

void RemoteEngine::log(int32_t level, std::string_view text) {
  std::lock_guard lock(host_mutex_);
  if (host_ == nullptr || host_->log == nullptr) return;
  host_->log(host_->ctx, level, base::str_cat("worker '", record_->name(), "': ", text).c_str());
}

void RemoteEngine::on_end(uint64_t number, const WorkerEnd& end) {
  bool served = false;
  {
    std::lock_guard lock(mutex_);
    served = number == serving_;
    if (served) serving_ = 0;
    if (number == spare_number_) spare_ended_ = true;
  }
  Death death{end, {}, false};
  if (served) death.lost = runs_.collect();
  std::lock_guard lock(mutex_);
  if (served) {
    runs_at_death_ = death.lost.started.size();
    loads_at_death_ = loads_in_worker_;
    death.load_was_under_way = loads_in_worker_ > 0;
    if (end.cause != EndCause::kStopped) last_end_ = end.reason;
    death_ = std::move(death);
  }
  changed_.notify_all();
}

void RemoteEngine::make_spare() {
  const uint64_t number = next_number_++;
  bool lasted = true;
  {
    std::lock_guard lock(mutex_);
    lasted = !spare_ended_;
    spare_number_ = number;
    spare_ended_ = false;
  }
  record_->set_spare_pid(0);
  spare_.reset();
  auto started = start_worker(number);
  std::lock_guard lock(mutex_);
  if (started.ok()) {
    spare_ = *std::move(started);
    record_->set_spare_pid(spare_->pid());
  } else {
    spare_number_ = 0;
    SN_LOG(Warning, "no spare of worker '{}' can be started: {}", record_->name(),
           std::string(base::message(started.status())));
  }
  // One that does not last is not started over and over.
  spare_failures_ = started.ok() && lasted ? 0 : std::min(spare_failures_ + 1, 1000);
  next_spare_ = Clock::now() + restart_delay(spare_failures_);
}

// What has been in the worker for too long ends it.
void RemoteEngine::look_after_runs() {
  if (options_.run_timeout == milliseconds(0)) return;
  Worker worker;
  {
    std::lock_guard lock(mutex_);
    worker = worker_ != nullptr ? worker_ : coming_;
  }
  if (worker == nullptr || !runs_.mark_overdue(options_.run_timeout)) return;
  worker->kill_as_timed_out(
      base::str_cat("the end of a run after ", options_.run_timeout.count(), " ms"));
}

void RemoteEngine::serve_with(Worker worker) {
  runs_.attach(worker);
  RemoteRuns::Failed failed;
  {
    std::lock_guard lock(mutex_);
    record_->set_pid(worker->pid());
    record_->set_state(WorkerState::kReady);
    worker_ = std::move(worker);
    coming_ = nullptr;
    failed = update_gate();
    changed_.notify_all();
  }
  runs_.fail_all(failed);
}

RemoteRuns::Failed RemoteEngine::update_gate() {
  return runs_.go_to(serving_ != 0 && !load_is_alone_ ? worker_ : nullptr);
}

}  // namespace supernova::engine::worker
