// What a Scheduler, the pool and the engine's answers share. It lives until the last of them lets
// go. For the files of this folder only.
#pragma once

#include <absl/container/inlined_vector.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include "schedule/join.h"
#include "schedule/request_queue.h"
#include "schedule/run_cost.h"
#include "schedule/scheduler.h"
#include "schedule/worker_pool.h"

namespace supernova::schedule {

class Scheduler::Core final : public WorkSource,
                              public Wakeable,
                              public std::enable_shared_from_this<Core> {
 public:
  Core(std::vector<ScheduledSession> sessions, const SchedulerOptions& options);
  ~Core() override;

  void enqueue(tensor::Request request, tensor::Completion done);
  // False: it is called within a completion of its own and did not wait for what is still to do.
  bool stop();
  // Once, after a stop() that waited: ends the sessions.
  void close();
  // After one that did not: nobody but what is still to do owns this core any more.
  void abandon();
  void drain_here();
  bool work() override;
  void wake() override;

  const engine::Session& session() const { return *instances_.front().session; }
  size_t queued() const;
  Figures figures() const;
  std::vector<InstanceFigures> instances() const;
  void disable_batching(std::string_view reason);

 private:
  struct Instance {
    std::unique_ptr<engine::Session> session;
    std::string device;
    size_t free = 0;
    uint64_t runs = 0;
    uint64_t latest = 0;       // number of its latest run
    std::string lost;          // why it takes no requests; "" = it takes them
    Clock::Point try_again{};  // lost: not before
  };
  // One run. It ends when the answer is there and the call that started it has returned.
  struct Batch {
    std::shared_ptr<Core> core;
    Items items;
    size_t instance = 0;
    uint64_t sequence = 0;
    bool here = false;
    Clock::Point started{};
    std::chrono::nanoseconds took{0};
    std::atomic<int> open_ends{2};
    // By which it is ended early, and from when on: then nobody wants its answer any more, since
    // each of its requests is cancelled or past its deadline. Only ever comes nearer.
    engine::Stop stop;
    std::atomic<Clock::Point> unwanted_from{Clock::kNever};
    // With the lock held: those that have not ended.
    Batch* previous = nullptr;
    Batch* next = nullptr;
    bool stopped = false;
    bool watched = false;  // while it runs, for clients that go
  };
  using Batches = absl::InlinedVector<Batch*, 4>;
  using Results = absl::InlinedVector<base::Result<tensor::Response>, 1>;
  struct Answer {
    Items items;
    Results results;
  };
  class Frame;
  // A session that has lost its device is tried this often: a worker may have started anew.
  static constexpr std::chrono::seconds kTryAgain{5};
  enum class End { kCall, kAnswer, kStop };

  bool answer_from_cache(Item& item);
  // With the lock held.
  bool may_run_here() const;
  size_t pick() const;
  bool may_start() const;
  Batch* start(Items items, bool here);
  Batch* claim(bool here, Items& dead);
  bool ask_turn();
  void arm(Clock::Point when);
  bool is_idle() const;

  void refuse(Item& item, const base::Status& status);
  void bury(Items& dead);
  // run_batch.cc
  void run(Batch* batch);
  void finish(Batch* batch, base::Result<tensor::Response> result);
  bool move_elsewhere(Batch& batch, const base::Result<tensor::Response>& result);
  bool run_again(Batch& batch, const base::Status& failure);
  Results results_of(Batch& batch, base::Result<tensor::Response> result);
  void complete(const Batch& batch, Item& item, size_t index, tensor::Response& response);
  void deliver(uint64_t sequence, Answer answer);
  void end(Batch* batch, End which);
  // Runs that nobody waits for any more (stop_runs.cc).
  void watch(Batch& batch);
  void unwatch(Batch& batch);
  static void request_cancelled(Batch& batch);
  Clock::Point take_unwanted(Clock::Point now, Batches& unwanted);
  void stop_runs(const Batches& unwanted);
  base::Status failure_of(const Batch& batch, const Item& item, const base::Status& status) const;
  void link(Batch& batch);
  void unlink(Batch& batch);

  const SchedulerOptions options_;
  WorkerPool& pool_;
  Clock& clock_;
  const uint64_t id_;
  JoinMemory join_memory_;

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::vector<Instance> instances_;
  BatchRules rules_;
  RequestQueue queue_;
  RunCost cost_;
  size_t free_ = 0;  // runs that may start now, as far as sessions have their devices
  std::atomic<bool> goes_on_{false};  // some of the runs, after the call that started them
  std::atomic<size_t> lost_{0};       // of instances_; changed with the lock held
  Batch* batches_ = nullptr;          // that have not ended, the latest first
  size_t running_ = 0;                // how many those are
  size_t burying_ = 0;                // threads that answer requests which were not run
  bool turn_asked_ = false;
  bool waits_for_thread_ = false;  // a request that may run where it came from found none free
  bool stopping_ = false;
  bool abandoned_ = false;
  Clock::Point armed_ = Clock::kNever;
  Figures figures_;
  // For answers in the order of the runs.
  uint64_t next_sequence_ = 0;
  uint64_t next_answer_ = 0;
  bool delivering_ = false;
  std::map<uint64_t, Answer> outbox_;
};

// That a thread is within a run or a completion of a core.
class Scheduler::Core::Frame {
 public:
  explicit Frame(const Core* core) : core_(core), outer_(innermost) { innermost = this; }
  ~Frame() { innermost = outer_; }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  static bool on_this_thread() { return innermost != nullptr; }
  static bool on_this_thread(const Core* core) {
    for (const Frame* at = innermost; at != nullptr; at = at->outer_) {
      if (at->core_ == core) return true;
    }
    return false;
  }

 private:
  static thread_local Frame* innermost;
  const Core* core_;
  Frame* outer_;
};

}  // namespace supernova::schedule
