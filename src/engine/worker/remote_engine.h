// An engine that lives in a worker: keeps a worker for it, starts the next one when it ends, opens
// there what was open, and judges what the end was due to. Thread-safe.
//
// One thread, the keeper, starts every process and does all that an end asks for; each process has
// a thread that hears it. Locks are taken in the order of their members here, and never while a
// callback of the host runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/option_names.h"
#include "engine/worker/quarantine.h"
#include "engine/worker/remote_objects.h"
#include "engine/worker/remote_runs.h"
#include "engine/worker/worker_process.h"
#include "engine/worker/worker_status.h"

namespace supernova::engine::worker {

// What engine_open was told, read.
struct RemoteOptions {
  static base::Result<RemoteOptions> read(const sn_options* options);

  WorkerCommand command;
  StartOrder order;
  std::string record;  // its name in metrics, unless that is taken
  std::chrono::milliseconds load_timeout = kDefaultLoadTimeout;
  std::chrono::milliseconds run_timeout{0};
  bool spare = true;
};

class RemoteEngine {
 public:
  // Starts the first worker and opens the engine in it.
  static base::Result<std::unique_ptr<RemoteEngine>> open(const sn_host* host,
                                                          const sn_options* options);
  RemoteEngine(const RemoteEngine&) = delete;
  RemoteEngine& operator=(const RemoteEngine&) = delete;
  // Waits for all threads that hear workers.
  ~RemoteEngine();
  // On any thread, also one of those, where the last to hold the engine was told something.
  static void end(std::unique_ptr<RemoteEngine> engine);

  const sn_engine_info& info() const { return info_->get(); }
  base::Result<std::unique_ptr<Verdict>> can_run(const sn_artefact* artefact,
                                                 const sn_device& device,
                                                 const sn_options* options);
  base::Status compile(const sn_artefact& artefact, const sn_device& device,
                       const sn_options* options, const sn_sink& sink);
  base::Result<std::shared_ptr<RemoteModel>> open_model(const sn_artefact& artefact,
                                                        const sn_options* options);
  void close_model(const std::shared_ptr<RemoteModel>& model);
  base::Result<std::unique_ptr<RemoteInstance>> open_instance(
      const std::shared_ptr<RemoteModel>& model, const sn_device& device,
      const sn_options* options);
  void close_instance(RemoteInstance& instance);
  base::Status instance_info(RemoteInstance& instance, sn_verdict& verdict);
  base::Result<std::unique_ptr<RemoteState>> open_state(RemoteInstance& instance);
  void close_state(const RemoteState& state);

  int32_t run(RemoteInstance& instance, const sn_run& run, sn_error* error);
  void cancel(const sn_run& run) { runs_.cancel(run); }

 private:
  // Loads in a worker at the same time.
  static constexpr int kMaxLoads = 8;

  using Worker = std::shared_ptr<WorkerProcess>;
  using Sink = WorkerProcess::Sink;
  // What is said to a worker, and the files that go with it.
  struct Order {
    MessageType type;
    std::string body;
    base::File file;
  };

  RemoteEngine(RemoteOptions options, std::shared_ptr<WorkerRecord> record, const sn_host* host);

  // The keeper's. remote_engine.cc
  void keep();
  base::Result<Worker> start_worker(uint64_t number);
  void on_end(uint64_t number, const WorkerEnd& end);
  void log(int32_t level, std::string_view text);
  void make_spare();
  void look_after_runs();
  void serve_with(Worker worker);
  [[nodiscard]] RemoteRuns::Failed update_gate();  // with the lock held

  // After an end. remote_recovery.cc
  void recover();
  Worker next_worker();
  void judge(RemoteRuns::Lost lost, const WorkerEnd& end, bool load_was_under_way);
  void judge_started(const RemoteRunPtr& run, const WorkerEnd& end, bool is_certain);
  void try_again(const RemoteRunPtr& run, const WorkerEnd& end);
  static std::string refused(const RemoteModel& model, const std::string& reason);
  base::Status quarantined(const RemoteModel& model, const sn_run* run) const;
  bool retry_suspects(WorkerProcess& worker);
  void wait_before_restart(EndCause cause, const std::string& reason);

  // remote_reopening.cc
  using Models = std::vector<std::shared_ptr<RemoteModel>>;
  struct Reopening;
  bool reopen_all(WorkerProcess& worker);
  bool reopen_together(const Models& models, WorkerProcess& worker, Reopening& all);
  enum class Reopened { kOpen, kBroken, kQuarantined, kEnded, kTimedOut };  // the worker, over it
  Reopened reopen(RemoteModel& model, WorkerProcess& worker);
  struct Evidence {
    bool is_certain;       // it was alone, or its time was over
    bool others_are_open;  // in the same worker
  };
  void note_end_at_reopening(RemoteModel& model, const WorkerEnd& end, const Evidence& evidence);

  // Calls. remote_calls.cc
  Worker wait_for_worker();
  base::Result<std::string> ask(MessageType type, std::string_view body, int file = -1,
                                Worker* asked = nullptr);
  struct Attempt;
  base::Result<std::string> load(const RemoteModel& model, const Order& order,
                                 const std::function<void()>& keep_it, const Sink& sink = {});
  void try_load(const Order& order, const std::function<void()>& keep_it, const Sink& sink,
                Attempt& attempt);
  void begin_load(bool alone);
  void end_load(bool alone);
  static base::Result<Order> model_order(const RemoteModel& model);
  static Order instance_order(const RemoteInstance& instance);
  std::string digest_of(const sn_artefact& artefact) const;
  void close(MessageType type, uint64_t key, std::chrono::milliseconds timeout,
             const std::function<void()>& forget);
  base::Status check_serving();
  static base::Status check_open(RemoteModel& model);

  const RemoteOptions options_;
  std::mutex host_mutex_;
  const sn_host* host_;  // null from end() on
  const std::shared_ptr<WorkerRecord> record_;
  Quarantine& quarantine_;
  std::unique_ptr<EngineInfo> info_;
  RemoteRuns runs_;

  // The last worker lost its device, and none has opened anything since. The keeper's.
  bool device_is_lost_ = false;

  // While a new worker is told what to open, nothing is forgotten.
  std::mutex reopen_mutex_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool wants_spare_ = false;
  Worker worker_;                     // null while there is none that is ready
  Worker coming_;                     // is told what to open
  std::atomic<uint64_t> serving_{0};  // the number of either; 0 = it has ended
  Worker spare_;
  uint64_t spare_number_ = 0;
  bool spare_ended_ = false;
  uint64_t next_number_ = 1;
  base::Status opened_;  // how the first start went
  bool has_started_ = false;
  // The last end of a worker that served, until the keeper takes it up.
  struct Death {
    WorkerEnd end;
    RemoteRuns::Lost lost;
    bool load_was_under_way = false;
  };
  std::optional<Death> death_;
  std::string last_end_;  // why there was no worker the last time
  // What the last one to end had begun.
  size_t runs_at_death_ = 0;
  int loads_at_death_ = 0;
  // Loads whose turn it is, those of them that a worker has, and whether the only one is suspicious
  // and alone with its worker.
  int loads_ = 0;
  int loads_in_worker_ = 0;
  bool load_is_alone_ = false;
  int streak_ = 0;  // of crashes
  int spare_failures_ = 0;
  std::chrono::steady_clock::time_point next_spare_;
  uint64_t next_key_ = 1;
  Models models_;
  std::thread keeper_;
};

}  // namespace supernova::engine::worker
