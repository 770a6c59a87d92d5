#include "protocol/http/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "base/log.h"

namespace supernova::protocol::http {
namespace {

constexpr int kMaxEvents = 128;
constexpr uint32_t kInput = EPOLLIN | EPOLLRDHUP | EPOLLET;

thread_local const EventLoop* turned_here = nullptr;

bool control(int epoll, int operation, int descriptor, uint32_t events, void* watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watcher;
  return ::epoll_ctl(epoll, operation, descriptor, &event) == 0;
}

}  // namespace

EventLoop::EventLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  // Without a watcher: it only ends the wait, and each write is a change, so it is never read.
  if (epoll_ >= 0 && wake_ >= 0 && control(epoll_, EPOLL_CTL_ADD, wake_, kInput, nullptr)) return;
  const int why = errno;
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
  throw std::system_error(why, std::generic_category(), "event loop");
}

EventLoop::~EventLoop() {
  ::close(epoll_);
  ::close(wake_);
}

bool EventLoop::on_thread() const { return turned_here == this; }

bool EventLoop::watch(int descriptor, Watcher& watcher) {
  return control(epoll_, EPOLL_CTL_ADD, descriptor, kInput, &watcher);
}

bool EventLoop::watch_output(int descriptor, Watcher& watcher) {
  return control(epoll_, EPOLL_CTL_MOD, descriptor, kInput | EPOLLOUT, &watcher);
}

void EventLoop::forget(int descriptor) {
  if (descriptor >= 0) control(epoll_, EPOLL_CTL_DEL, descriptor, 0, nullptr);
}

void EventLoop::call_soon(Call call) { soon_.push_back(std::move(call)); }

void EventLoop::call_at(Clock::time_point when, Call call) {
  alarms_.push_back({when, std::move(call)});
}

void EventLoop::post(Call call) {
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(call));
    has_posted_.store(true, std::memory_order_release);
  }
  if (!first || on_thread()) return;
  const uint64_t one = 1;
  // It fails only when the count is at its end, and then the loop is awake.
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof(one));
}

int EventLoop::time_to_wait() const {
  if (!soon_.empty() || has_posted_.load(std::memory_order_acquire)) return 0;
  if (alarms_.empty()) return -1;
  const auto next = std::min_element(alarms_.begin(), alarms_.end(),
                                     [](const auto& a, const auto& b) { return a.when < b.when; });
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next->when - now_).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

void EventLoop::turn(bool wait) {
  turned_here = this;
  epoll_event events[kMaxEvents];
  const int count = ::epoll_wait(epoll_, events, kMaxEvents, wait ? time_to_wait() : 0);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == nullptr) continue;
    pass_on(events[i].events, *static_cast<Watcher*>(events[i].data.ptr));
  }
  run_calls();
  run_alarms();
  retired_.clear();
}

void EventLoop::end() {
  soon_.clear();
  alarms_.clear();
}

// An event comes once: nobody's failure may cost the others theirs.
void EventLoop::pass_on(uint32_t events, Watcher& watcher) {
  try {
    watcher.ready(events);
  } catch (const std::exception& error) {
    // Whatever failed was one connection's; its timeout closes it.
    SN_LOG(Error, "HTTP: {}", error.what());
  }
}

void EventLoop::run(Call& call) {
  try {
    call();
  } catch (const std::exception& error) {
    SN_LOG(Error, "HTTP: {}", error.what());
  }
}

// Those that are there now: what they call for comes with the next turn.
void EventLoop::run_calls() {
  std::vector<Call> calls = std::move(soon_);
  soon_.clear();
  for (Call& call : calls) run(call);
  if (!has_posted_.load(std::memory_order_acquire)) return;
  {
    std::lock_guard lock(mutex_);
    calls = std::move(posted_);
    posted_.clear();
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (Call& call : calls) run(call);
}

void EventLoop::run_alarms() {
  for (size_t i = 0; i < alarms_.size();) {
    if (alarms_[i].when > now_) {
      ++i;
      continue;
    }
    Call call = std::move(alarms_[i].call);
    alarms_.erase(alarms_.begin() + static_cast<std::ptrdiff_t>(i));
    run(call);
  }
}

}  // namespace supernova::protocol::http
