#include "stop_signal.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace supernova::apps {

struct StopSignal::State {
  sigset_t signals{};
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> last;
  int received = 0;
  bool waiting = false;
  bool over = false;

  void take() {
    int number = 0;
    sigwait(&signals, &number);
    std::lock_guard lock(mutex);
    if (!waiting && !over) {
      SN_LOG(Info, "{} received while models are being loaded: ended", strsignal(number));
      if (last) last();
      std::fflush(nullptr);
      std::_Exit(0);
    }
    received = number;
    changed.notify_all();
  }
};

StopSignal::StopSignal() : state_(std::make_shared<State>()) {
  sigset_t& signals = state_->signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A shell starts its background commands with SIGINT ignored; it counts here all the same.
  signal(SIGINT, SIG_DFL);
  std::thread([state = state_] { state->take(); }).detach();
}

StopSignal::~StopSignal() {
  std::lock_guard lock(state_->mutex);
  state_->over = true;
  state_->last = nullptr;
}

void StopSignal::before_waiting(std::function<void()> last) {
  std::lock_guard lock(state_->mutex);
  state_->last = std::move(last);
}

int StopSignal::wait() {
  std::unique_lock lock(state_->mutex);
  state_->waiting = true;
  state_->changed.wait(lock, [this] { return state_->received != 0; });
  pthread_sigmask(SIG_UNBLOCK, &state_->signals, nullptr);
  return state_->received;
}

void end_within(std::chrono::seconds time) {
  std::thread([time] {
    std::this_thread::sleep_for(time);
    constexpr char kWhy[] = "ended although requests are not over: their engines don't answer\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kWhy, sizeof(kWhy) - 1);
    std::_Exit(0);
  }).detach();
}

}  // namespace supernova::apps
