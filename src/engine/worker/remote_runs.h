// The server's side of runs: those on their way to a worker, those in it and those that wait for
// the next one. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/worker/arena.h"
#include "engine/worker/remote_objects.h"
#include "engine/worker/run_message.h"
#include "engine/worker/worker_process.h"

namespace supernova::engine::worker {

struct RemoteRun;
using RemoteRunPtr = std::shared_ptr<RemoteRun>;

class RemoteRuns {
 public:
  RemoteRuns();

  // As the ABI says. Waits for the answer of what is known to be quick; other answers, and those
  // of runs that wait for a worker, come on another thread.
  int32_t run(RemoteInstance& instance, const sn_run& run, sn_error* error);
  void cancel(const sn_run& run);

  // From now on runs go to this worker, those that waited first; null: they wait.
  void go_to(std::shared_ptr<WorkerProcess> worker);
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

  // A run that was lost: to that worker, whatever others wait for, or before all others that wait.
  void submit_alone(const RemoteRunPtr& run, WorkerProcess& worker);
  void wait_again(const RemoteRunPtr& run);
  void fail(const RemoteRunPtr& run, int32_t code, std::string_view message);
  bool is_in_flight(const RemoteRunPtr& run);
  // Whether nothing is in a worker; waits that long for it.
  bool wait_until_idle(std::chrono::milliseconds most);
  // Marks those that have been in a worker for longer; whether there are any.
  bool mark_overdue(std::chrono::milliseconds timeout);

  // For threads that must not wait for a worker: they are the ones that hear it.
  static void set_hears_workers();
  static bool hears_workers();

 private:
  base::Result<RemoteRunPtr> prepare(RemoteInstance& instance, const sn_run& run);
  base::Status submit(const RemoteRunPtr& run, WorkerProcess& worker, uint32_t state);
  int32_t wait(const RemoteRunPtr& run, sn_error* error);
  bool claim(const RemoteRunPtr& run);
  // With `refusal`, a run that the engine refused is told there, and its code returned.
  int32_t deliver_from_slot(const RemoteRunPtr& run, sn_error* refusal = nullptr);
  void deliver(const RemoteRunPtr& run, const ResponseRecord& response,
               std::vector<base::File>& files);

  const std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  const bool looks_;  // a while before it sleeps
  std::mutex mutex_;
  std::condition_variable idle_;
  std::shared_ptr<WorkerProcess> worker_;  // null = runs wait
  base::Status refusal_;
  uint64_t next_id_ = 1;
  std::unordered_map<uint64_t, RemoteRunPtr> in_flight_;
  std::deque<RemoteRunPtr> waiting_;
};

struct RemoteRun {
  ~RemoteRun() { arena->give_back(slot); }
  SlotHead& head() const { return *reinterpret_cast<SlotHead*>(slot.data); }
  std::byte* data() const { return slot.data + data_offset; }

  RemoteInstance* instance = nullptr;
  const sn_run* run = nullptr;
  uint64_t id = 0;
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
  bool overdue = false;
  bool cancelled = false;
  int crashes = 0;  // of workers that may have been its doing
  int losses = 0;   // of others
};

}  // namespace supernova::engine::worker
