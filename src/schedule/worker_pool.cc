#include "schedule/worker_pool.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/log.h"
#include "base/status.h"
#include "device/cpu_limits.h"

namespace supernova::schedule {
namespace {

// Nobody got a turn for this long: all threads are in long runs.
constexpr auto kStall = std::chrono::milliseconds(20);
constexpr int kMaxSpares = 64;

class Disposal final : public WorkSource {
 public:
  explicit Disposal(std::shared_ptr<void> object) : object_(std::move(object)) {}
  bool work() override {
    object_.reset();
    return false;
  }

 private:
  std::shared_ptr<void> object_;
};

}  // namespace

struct WorkerPool::Core final : Wakeable, std::enable_shared_from_this<Core> {
  Core(int limit, Clock& clock) : limit(limit), clock(clock) {}

  void submit(std::shared_ptr<WorkSource> source);
  void wake() override;  // looks for a stall
  void watch();
  bool start_thread(bool spare);
  void work(bool spare);
  void run_turn(std::unique_lock<std::mutex>& lock, bool spare);

  const int limit;
  Clock& clock;
  std::mutex mutex;
  std::condition_variable wanted;
  std::condition_variable ended;
  std::deque<std::shared_ptr<WorkSource>> turns;
  int threads = 0;
  int spares = 0;
  int idle = 0;   // wait, and nobody has called them
  int calls = 0;  // made to waiting threads, which have not woken yet
  bool stopping = false;
  bool watching = false;
  uint64_t all_turns = 0;      // that were given
  uint64_t regular_turns = 0;  // by threads that are not spare
  uint64_t watched_turns = 0;  // all_turns when the watch began
  uint64_t submitted = 0;
};

void WorkerPool::Core::submit(std::shared_ptr<WorkSource> source) {
  std::lock_guard lock(mutex);
  turns.push_back(std::move(source));
  ++submitted;
  if (idle > 0) {
    --idle;
    ++calls;
    wanted.notify_one();
  } else if (threads - spares >= limit || !start_thread(false)) {
    watch();
  }
}

void WorkerPool::Core::watch() {
  if (watching) return;
  watching = true;
  watched_turns = all_turns;
  clock.wake_at(clock.now() + kStall, weak_from_this());
}

void WorkerPool::Core::wake() {
  std::lock_guard lock(mutex);
  watching = false;
  if (turns.empty()) return;
  if (all_turns == watched_turns && spares < kMaxSpares) start_thread(true);
  watch();
}

// With the lock held.
bool WorkerPool::Core::start_thread(bool spare) {
  try {
    std::thread([self = shared_from_this(), spare] { self->work(spare); }).detach();
  } catch (const std::system_error& error) {
    SN_LOG(Warning, "no further thread to run models on: {}", error.what());
    return false;
  }
  ++threads;
  if (spare) ++spares;
  return true;
}

void WorkerPool::Core::run_turn(std::unique_lock<std::mutex>& lock, bool spare) {
  std::shared_ptr<WorkSource> source = std::move(turns.front());
  turns.pop_front();
  ++all_turns;
  if (!spare) ++regular_turns;
  lock.unlock();
  const bool again = source->work();
  if (!again) source.reset();  // may be the last owner
  lock.lock();
  if (again) turns.push_back(std::move(source));  // this thread or one that is awake takes it
}

void WorkerPool::Core::work(bool spare) {
  pthread_setname_np(pthread_self(), "sn-model");
  std::unique_lock lock(mutex);
  const uint64_t regular_before = regular_turns;
  auto helps_until = spare ? clock.now() + 5 * kStall : Clock::kNever;
  while (true) {
    if (!turns.empty()) {
      run_turn(lock, spare);
      if (!spare || clock.now() < helps_until) continue;
      if (regular_turns != regular_before) break;  // the stall is over
      helps_until = clock.now() + 5 * kStall;
      continue;
    }
    if (spare || stopping) break;
    ++idle;
    wanted.wait(lock, [this] { return calls > 0 || stopping; });
    if (calls > 0) {
      --calls;
    } else {
      --idle;
    }
  }
  if (!turns.empty()) watch();
  --threads;
  if (spare) --spares;
  if (threads == 0) ended.notify_all();
}

WorkerPool::WorkerPool(int threads, Clock& clock)
    : core_(std::make_shared<Core>(std::max(threads, 1), clock)) {
  std::lock_guard lock(core_->mutex);
  SN_CHECK(core_->start_thread(false));
}

WorkerPool::~WorkerPool() {
  std::unique_lock lock(core_->mutex);
  core_->stopping = true;
  core_->wanted.notify_all();
  core_->ended.wait(lock, [this] { return core_->threads == 0; });
}

WorkerPool& WorkerPool::shared() {
  // Its threads outlive every static object.
  static WorkerPool& pool = *new WorkerPool(device::process_thread_budget());
  return pool;
}

void WorkerPool::submit(std::shared_ptr<WorkSource> source) { core_->submit(std::move(source)); }

void WorkerPool::dispose(std::shared_ptr<void> object) {
  submit(std::make_shared<Disposal>(std::move(object)));
}

int WorkerPool::threads() const { return core_->limit; }

int WorkerPool::threads_started() const {
  std::lock_guard lock(core_->mutex);
  return core_->threads;
}

uint64_t WorkerPool::submitted() const {
  std::lock_guard lock(core_->mutex);
  return core_->submitted;
}

}  // namespace supernova::schedule
