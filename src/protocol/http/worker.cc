#include "protocol/http/worker.h"

#include <algorithm>

#include "base/log.h"
#include "protocol/http/connection.h"
#include "schedule/scheduler.h"

namespace supernova::protocol::http {
namespace {

constexpr std::chrono::milliseconds kSweepInterval{100};
// With each so many connections looking at them takes longer, and is done more rarely.
constexpr size_t kConnectionsPerInterval = 2000;
constexpr size_t kMaxSweepIntervals = 10;
constexpr std::chrono::seconds kReportInterval{10};

// Whose held requests this thread runs.
thread_local const Worker* runs_held = nullptr;
struct RunsHeld {
  explicit RunsHeld(const Worker* worker) { runs_held = worker; }
  ~RunsHeld() { runs_held = nullptr; }
};

}  // namespace

void Worker::run() {
  schedule::DrainScope scope;
  while (!ended_) {
    // A connection that has its answer may bring the next request at once: then nobody waits, and
    // the others get their turn in between.
    const bool held_before = scope.holds();
    loop_.turn(!held_before);
    if (!scope.holds()) continue;
    // What every other socket has brought meanwhile goes into the same batch. A connection alone
    // has nobody to wait for, and is spared the system call.
    if (!held_before && open_connections() > 1) loop_.turn(false);
    run_held(scope);
  }
  loop_.end();
}

// Their responses go out here, without a way through the box and the loop.
void Worker::run_held(schedule::DrainScope& scope) {
  {
    const RunsHeld runs(this);
    scope.drain();
  }
  auto answers = std::exchange(own_box_, {});
  for (auto& [connection, response] : answers) {
    try {
      connection->take_response(std::move(response));
    } catch (const std::exception& error) {
      // Whatever failed was one connection's; its timeout closes it.
      SN_LOG(Error, "HTTP: {}", error.what());
    }
  }
  answers.clear();
  if (own_box_.empty()) own_box_.swap(answers);  // keeps its memory
}

void Worker::deliver(std::shared_ptr<Connection> connection, HttpResponse response) {
  if (runs_held == this) {
    own_box_.emplace_back(std::move(connection), std::move(response));
    return;
  }
  bool wake = false;
  {
    std::lock_guard lock(box_mutex_);
    if (stopped_) return;
    wake = box_.empty();
    box_.emplace_back(std::move(connection), std::move(response));
  }
  // The posted call holds no connection: one that is never run must not keep the loop alive.
  if (wake) loop_.post([this] { empty_box(); });
}

void Worker::empty_box() {
  Box box;
  {
    std::lock_guard lock(box_mutex_);
    box.swap(box_);
  }
  for (auto& [connection, response] : box) connection->take_response(std::move(response));
}

void Worker::adopt(Accepted accepted) {
  // Counted at once, so that draining can't miss it.
  open_connections_.fetch_add(1, std::memory_order_relaxed);
  if (accepted.one_more) refused_.fetch_add(1, std::memory_order_relaxed);
  auto connection = std::make_shared<Connection>(shared_from_this(), std::move(accepted));
  loop_.post([this, connection] {
    connections_.insert(connection);
    schedule_sweep();
    connection->start();
  });
}

void Worker::remove(const std::shared_ptr<Connection>& connection) {
  if (connections_.erase(connection) == 0) return;
  if (connection->one_more()) refused_.fetch_sub(1, std::memory_order_relaxed);
  open_connections_.fetch_sub(1, std::memory_order_relaxed);
  loop_.retire(connection);
}

void Worker::report_failed_handshake(const std::string& peer, std::string_view reason) {
  SN_LOG(Debug, "{}: TLS handshake with {} failed: {}", options_.name, peer, reason);
  ++failed_handshakes_;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_report_) return;
  SN_LOG(Info, "{}: {} TLS handshake(s) failed, the last with {}: {}", options_.name,
         failed_handshakes_, peer, reason);
  failed_handshakes_ = 0;
  next_report_ = now + kReportInterval;
}

void Worker::schedule_sweep() {
  if (sweep_scheduled_ || connections_.empty()) return;
  sweep_scheduled_ = true;
  const size_t intervals =
      std::min(1 + connections_.size() / kConnectionsPerInterval, kMaxSweepIntervals);
  loop_.call_at(loop_.now() + kSweepInterval * intervals, [this] {
    sweep_scheduled_ = false;
    sweep();
  });
}

void Worker::sweep() {
  const auto now = std::chrono::steady_clock::now();
  // Looking at a connection may close it.
  const std::vector<std::shared_ptr<Connection>> connections(connections_.begin(),
                                                             connections_.end());
  for (const auto& connection : connections) connection->look_at_time(now);
  schedule_sweep();
}

void Worker::start_draining() {
  draining_.store(true, std::memory_order_relaxed);
  loop_.post([this] {
    const std::vector<std::shared_ptr<Connection>> connections(connections_.begin(),
                                                               connections_.end());
    for (const auto& connection : connections) connection->close_if_idle();
  });
}

void Worker::stop() {
  loop_.post([this] { close_all(); });
}

void Worker::close_all() {
  Box box;
  {
    std::lock_guard lock(box_mutex_);
    stopped_ = true;
    box.swap(box_);
  }
  const std::vector<std::shared_ptr<Connection>> connections(connections_.begin(),
                                                             connections_.end());
  for (const auto& connection : connections) connection->close();
  ended_ = true;
}

}  // namespace supernova::protocol::http
