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

}  // namespace

void Worker::run() {
  schedule::DrainScope scope;
  while (!ended_) {
    loop_.turn();
    if (!scope.holds()) continue;
    loop_.turn(false);  // what every other socket has brought meanwhile goes into the same batch
    scope.drain();
  }
  loop_.end();
}

void Worker::deliver(std::shared_ptr<Connection> connection, HttpResponse response) {
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
  std::vector<std::pair<std::shared_ptr<Connection>, HttpResponse>> box;
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
  std::vector<std::pair<std::shared_ptr<Connection>, HttpResponse>> box;
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
