// By which a run is ended early, from another thread than its own. One for each run.
#pragma once

#include <supernova/engine.h>

#include <atomic>
#include <mutex>

namespace supernova::engine {

class Stop {
 public:
  Stop() = default;
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;

  // Asks the run that this was given to, or will be, to end: its completion then says CANCELLED,
  // unless it has the answer already. Where the run is over it does nothing. The completion may be
  // called within. Any thread, any number of times.
  void request();
  bool requested() const { return requested_.load() != 0; }

  // --- For Session.
  // From here on request() reaches the run. False: it was called before, and the run need not
  // begin.
  bool begin(void (*cancel)(sn_instance*, const sn_run*), sn_instance* instance, const sn_run* run);
  // From here on it does not, nor is it about to on another thread.
  void end();
  // What becomes 1 with request().
  const uint32_t* flag() const { return reinterpret_cast<const uint32_t*>(&requested_); }

 private:
  std::atomic<uint32_t> requested_{0};
  std::recursive_mutex mutex_;  // an engine may answer within its `cancel`
  void (*cancel_)(sn_instance*, const sn_run*) = nullptr;
  sn_instance* instance_ = nullptr;
  const sn_run* run_ = nullptr;  // while it can be reached
};

}  // namespace supernova::engine
