// What an I/O thread waits with: descriptors, times, and calls from other threads. It is told of
// changes (edge-triggered): what is waited for need not be said again for each request. Unless said
// otherwise, functions are called on the thread that turns the loop, or before it does.
#pragma once

#include <absl/functional/any_invocable.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace supernova::protocol::http {

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using Call = absl::AnyInvocable<void()>;

  class Watcher {
   public:
    // `events` are epoll's: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR.
    virtual void ready(uint32_t events) = 0;

   protected:
    ~Watcher() = default;
  };

  EventLoop();  // throws std::system_error
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;

  // From now on the watcher is told when input comes or the other side closes; with watch_output()
  // also when there is room for output again. Until forget(), which comes before the descriptor is
  // closed; then the watcher has to be retired, because it may still be told of what has happened
  // before. False: the kernel would not have it.
  bool watch(int descriptor, Watcher& watcher);
  bool watch_output(int descriptor, Watcher& watcher);
  // Closing is not enough: a process that is being started has a copy of the descriptor for a
  // moment, and as long as there is one the kernel tells of it.
  void forget(int descriptor);
  // Keeps it until the end of this turn.
  void retire(std::shared_ptr<void> watcher) { retired_.push_back(std::move(watcher)); }

  void call_soon(Call call);  // in the next turn, which does not wait then
  void call_at(Clock::time_point when, Call call);
  void post(Call call);  // any thread: in the next turn

  // Waits for something to happen, unless told not to, and passes it on. Exceptions of those who
  // are called end here, in the log.
  void turn(bool wait = true);
  // After the last turn: drops the calls that are still to come.
  void end();
  // When the present turn began: precise enough for timeouts.
  Clock::time_point now() const { return now_; }
  bool on_thread() const;  // any thread

 private:
  struct Alarm {
    Clock::time_point when;
    Call call;
  };
  int time_to_wait() const;
  void pass_on(uint32_t events, Watcher& watcher);
  void run(Call& call);
  void run_calls();
  void run_alarms();

  int epoll_ = -1;
  int wake_ = -1;
  Clock::time_point now_ = Clock::now();
  std::vector<Call> soon_;
  std::vector<Alarm> alarms_;  // few
  std::vector<std::shared_ptr<void>> retired_;

  std::atomic<bool> has_posted_{false};
  std::mutex mutex_;  // guards posted_
  std::vector<Call> posted_;
};

}  // namespace supernova::protocol::http
