// Which models and requests have shown that they crash their worker, and why: they are answered
// with that reason instead of being tried again. It ends for a model when its file changes (another
// digest) or when an operator loads it again (release). Bounded; safe from any thread.
//
// What has used up its worker's memory is costly as well, since the kernel clears and frees it all:
// a model's runs, or its load, are done at low priority for a while, so that neighbours don't pay
// for it when that happens again. An operator does not end that, as the file is the same. What took
// too long is not costly: at low priority it would take longer.
//
// Who records a crash must know whose it was. A run that was alone in its worker is to blame for
// it; of several that overlapped, each is a suspect only: try them again one at a time and record
// those that crash then.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "engine/worker/restart_policy.h"

namespace supernova::engine::worker {

enum class Work { kLoad, kRun };

struct QuarantineLimits {
  int load_crashes = 2;       // of a model, before it is not opened any more
  int request_crashes = 2;    // of one request's content: its first try and the second
  int crashing_requests = 5;  // distinct ones, refused within `window`, before the model is
  int run_crashes = 20;       // of all its requests within `window`, before the model is
  std::chrono::seconds window{600};
  size_t max_models = 1024;
  size_t max_requests = 1024;  // remembered for each model
};

class Quarantine {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Quarantine(QuarantineLimits limits = {},
                      std::function<Clock::time_point()> now = &Clock::now)
      : limits_(limits), now_(std::move(now)) {}

  // `reason` says how the worker ended (describe_end). Causes that blame nobody are not counted; of
  // a lost device, record it only where it is repeated.
  void record_load_crash(const std::string& model_digest, EndCause cause, std::string reason);
  void record_run_crash(const std::string& model_digest, uint64_t request_digest, EndCause cause,
                        std::string reason);
  // The model has been loaded: crashes of earlier attempts don't count any more.
  void record_load(const std::string& model_digest);
  // So has an instance of it, and it took no more memory than there is.
  void record_instance(const std::string& model_digest);

  // Why the model, or this request to it, is not tried any more; nothing where it may be. What ends
  // that is for who knows how models are loaded to say.
  std::optional<std::string> model_reason(const std::string& model_digest) const;
  std::optional<std::string> request_reason(const std::string& model_digest,
                                            uint64_t request_digest) const;
  // Whether it used up memory within the window, and, for loads, none has succeeded since.
  bool is_costly(Work work, const std::string& model_digest) const;
  // Whether any of these may answer for that model.
  bool knows(const std::string& model_digest) const;
  // Nothing is known about any model: request digests need not even be computed. Without a lock.
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }

  // An operator wants it tried again: why it is not is forgotten.
  void release(const std::string& model_digest);

 private:
  struct Request {
    int crashes = 0;
    Clock::time_point refused_since{};
    std::string reason;
    uint64_t order = 0;  // of its last crash, to forget the oldest
  };
  struct Model {
    int load_crashes = 0;
    std::string reason;  // not empty = quarantined
    std::unordered_map<uint64_t, Request> requests;
    std::deque<Clock::time_point> run_crashes;  // the last ones
    uint64_t order = 0;
  };

  Model& touch(const std::string& model_digest);
  Request& touch(Model& model, uint64_t request_digest);
  void judge(Model& model, const std::string& reason);
  using Costly = std::unordered_map<std::string, Clock::time_point>;

  void note_cost(Costly& costly, const std::string& model_digest, EndCause cause);
  void recount() {
    count_.store(models_.size() + costly_loads_.size() + costly_runs_.size(),
                 std::memory_order_release);
  }

  const QuarantineLimits limits_;
  const std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Model> models_;
  Costly costly_loads_;  // when they last were
  Costly costly_runs_;
  uint64_t order_ = 0;
  std::atomic<size_t> count_{0};
};

}  // namespace supernova::engine::worker
