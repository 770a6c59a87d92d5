// The server's side of runs: those on their way to a worker, those in it and those that wait for
// the next one. Thread-safe.
//
// A run that is not over at its deadline is answered then, on a thread of this class's own, and
// told to end; so is one that is not over some time after it was cancelled. Until it does it is
// abandoned: the worker still has it, with its memory and its place among the runs of its instance,
// so that the next run waits for both.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/worker/arena.h"
#include "engine/worker/remote_objects.h"
#include "engine/worker/run_message.h"
#include "engine/worker/worker_process.h"

namespace supernova::engine::worker {

// What is done at low priority may take so many times longer, as others may have the processor.
inline constexpr int kCarefulPatience = 8;

struct RemoteRun;
using RemoteRunPtr = std::shared_ptr<RemoteRun>;

class RemoteRuns {
 public:
  RemoteRuns();
  RemoteRuns(const RemoteRuns&) = delete;
  RemoteRuns& operator=(const RemoteRuns&) = delete;
  ~RemoteRuns();

  // As the ABI says. Waits for the answer about as long as it usually takes; other answers, and
  // those of runs that wait for a worker, come on another thread.
  // A `careful` one is run at low priority.
  int32_t run(RemoteInstance& instance, const sn_run& run, bool careful, sn_error* error);
  void cancel(const sn_run& run);

  using Failed = std::vector<std::pair<RemoteRunPtr, base::Status>>;
  // From now on runs go to this worker, those that waited first; null: they wait. Those that could
  // not go have yet to be told, without a lock: fail_all.
  [[nodiscard]] Failed go_to(std::shared_ptr<WorkerProcess> worker);
  void fail_all(const Failed& failed);
  // There is no worker for a while: what waits and what comes is answered with this; OK ends it.
  void refuse(const base::Status& status);
  // Shows segments to a worker that shall get runs; null: to nobody.
  void attach(const std::shared_ptr<WorkerProcess>& worker);
  void trim_memory() { arena_->trim(); }

  void on_message(Message& message);

  // What a worker that has ended had; they are nobody's now. Those that it had finished are
  // answered.
  struct Lost {
    std::vector<RemoteRunPtr> started;
    std::vector<RemoteRunPtr> waiting;
  };
  Lost collect();

  // A run that was lost: before all others that wait, or, as it may be why, to be tried alone.
  void wait_again(const RemoteRunPtr& run);
  void suspect(const RemoteRunPtr& run);
  // The next of those to be tried alone, whatever others wait for; false where there is none.
  bool submit_suspect(WorkerProcess& worker);
  void fail(const RemoteRunPtr& run, int32_t code, std::string_view message);
  void fail(const RemoteRunPtr& run, const base::Status& status) {
    fail(run, static_cast<int32_t>(status.code()), base::message(status));
  }
  // Whether nothing is in a worker but abandoned runs; waits that long for it.
  bool wait_until_idle(std::chrono::milliseconds most);
  // Whether the worker still has a run of that instance that was answered at its deadline.
  bool has_abandoned(const RemoteInstance& instance);
  // Since when runs wait for a worker; nothing while they don't.
  std::optional<std::chrono::steady_clock::time_point> waits_since();
  // What refuse() said.
  base::Status refusal();
  // Marks those that have been in a worker for longer than they may; whether there are any, or the
  // worker begins none.
  bool mark_overdue(std::chrono::milliseconds timeout);

  // For threads that must not wait for a worker: they are the ones that hear it.
  static void set_hears_workers();
  static bool hears_workers();

 private:
  base::Result<RemoteRunPtr> prepare(RemoteInstance& instance, const sn_run& run);
  base::Status submit(const RemoteRunPtr& run, WorkerProcess& worker, uint32_t state);
  Failed submit_waiting();  // with the lock held
  int32_t wait(const RemoteRunPtr& run, uint64_t typical_ns, sn_error* error);
  void wake_early();
  bool claim(const RemoteRunPtr& run);
  void tell_if_idle();  // with the lock held
  // With `refusal`, a run that the engine refused is told there, and its code returned.
  int32_t deliver_from_slot(const RemoteRunPtr& run, sn_error* refusal = nullptr);
  void deliver(const RemoteRunPtr& run, const ResponseRecord& response,
               std::vector<base::File>& files);
  void give_up(const RemoteRunPtr& run, int32_t code, std::string_view message);
  static void answer_failure(const sn_run& run, int32_t code, std::string_view message);

  // Deadlines. remote_deadlines.cc; all but keep_time with the lock held
  void watch(const RemoteRun& run);
  void keep_time();
  struct Over;
  Over take_over(uint64_t now_ns);
  void abandon(const RemoteRunPtr& run);
  bool must_wait(const RemoteRun& run) const;
  // The worker has done with it. Then others may go that waited for its place.
  Failed forget(uint64_t id);

  const std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  const bool looks_;  // a while before it sleeps
  std::mutex mutex_;
  std::condition_variable idle_;
  std::shared_ptr<WorkerProcess> worker_;  // null = runs wait
  std::chrono::steady_clock::time_point waits_since_ = std::chrono::steady_clock::now();
  base::Status refusal_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, RemoteRunPtr> in_flight_;
  std::unordered_map<uint64_t, RemoteRunPtr> abandoned_;
  std::deque<RemoteRunPtr> waiting_;
  std::vector<RemoteRunPtr> suspects_;
  // The earliest of the deadlines, or earlier; none is watched where it is kNever.
  static constexpr uint64_t kNever = UINT64_MAX;
  uint64_t next_deadline_ns_ = kNever;
  bool stopping_ = false;
  std::condition_variable earlier_;
  std::thread timekeeper_;  // from the first deadline on
};

struct RemoteRun {
  ~RemoteRun() { arena->give_back(slot); }
  SlotHead& head() const { return *reinterpret_cast<SlotHead*>(slot.data); }
  std::byte* data() const { return slot.data + data_offset; }

  // Whether it has been answered though the worker has not; nothing of the host's may be looked at.
  bool is_abandoned() const { return run == nullptr; }

  RemoteInstance* instance = nullptr;
  const sn_run* run = nullptr;
  uint64_t id = 0;
  uint64_t instance_key = 0;
  uint64_t state_key = 0;  // of its sequence, 0 = of none
  uint64_t deadline_ns = 0;
  std::shared_ptr<RemoteModel> abandoned_model;
  std::shared_ptr<Arena> arena;
  Arena::Slot slot;
  // Not read from the slot, where a worker may have written.
  size_t request_size = 0;
  size_t response_offset = 0;
  size_t response_capacity = 0;
  size_t data_offset = 0;
  size_t room_offset = 0;
  size_t room_size = 0;
  std::chrono::steady_clock::time_point submitted;
  bool keeps_state = false;  // of a sequence: is not tried again
  bool has_answered = false;
  bool delivering = false;  // a response before the final one
  bool overdue = false;
  bool cancelled = false;
  bool careful = false;   // at low priority
  bool is_first = false;  // of all that its worker has been given
  int crashes = 0;        // of workers that may have been its doing
  int losses = 0;         // of others
};

}  // namespace supernova::engine::worker
