// One I/O thread of the HTTP listener: its event loop, its connections, and the box in which other
// threads leave responses. Unless said otherwise, functions are called on that thread.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "protocol/http/block_pool.h"
#include "protocol/http/event_loop.h"
#include "protocol/http/http_handler.h"
#include "protocol/http/http_server.h"
#include "protocol/http/memory_budget.h"
#include "protocol/http/stream.h"
#include "protocol/tls/openssl.h"

namespace supernova::schedule {
class DrainScope;
}

namespace supernova::protocol::http {

class Connection;

// A connection as the acceptor hands it on.
struct Accepted {
  Socket socket;          // does not block
  std::string address;    // the client's
  tls::ContextPtr tls;    // null = plain
  bool one_more = false;  // beyond max_connections: only to be told so
};

// Connections share the worker, so that one whose request outlives the server still has its loop.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  Worker(const HttpServerOptions& options, HttpHandler& handler,
         std::shared_ptr<MemoryBudget> budget)
      : options_(options), handler_(handler), budget_(std::move(budget)) {}

  void run();  // the thread's body; returns after stop()

  // Any thread. A response for a connection that is gone, or after stop(), is dropped.
  void deliver(std::shared_ptr<Connection> connection, HttpResponse response);
  void adopt(Accepted accepted);
  void start_draining();
  void stop();  // closes every connection
  size_t open_connections() const { return open_connections_.load(std::memory_order_relaxed); }
  // Of these, only to be told that they are too many.
  size_t refused_connections() const { return refused_.load(std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  EventLoop& loop() { return loop_; }
  const HttpServerOptions& options() const { return options_; }
  HttpHandler& handler() { return handler_; }
  MemoryBudget& budget() { return *budget_; }
  BlockPool& blocks() { return blocks_; }
  bool on_thread() { return loop_.on_thread(); }

  // Requests that the handler has. Whether there are any.
  void request_begins() { ++serving_; }
  void request_ends() { --serving_; }
  bool serves() const { return serving_ > 0; }

  void remove(const std::shared_ptr<Connection>& connection);
  // Each is logged for debugging; the rest of the world hears of them now and then.
  void report_failed_handshake(const std::string& peer, std::string_view reason);

 private:
  void run_held(schedule::DrainScope& scope);
  void empty_box();
  void schedule_sweep();
  void sweep();
  void close_all();

  const HttpServerOptions options_;
  HttpHandler& handler_;
  const std::shared_ptr<MemoryBudget> budget_;
  BlockPool blocks_;  // outlives the connections that the loop holds
  EventLoop loop_;
  // Timeouts are looked at now and then: a timer per request would cost too much.
  bool sweep_scheduled_ = false;
  bool ended_ = false;
  size_t serving_ = 0;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::atomic<size_t> open_connections_{0};
  std::atomic<size_t> refused_{0};
  std::atomic<bool> draining_{false};
  size_t failed_handshakes_ = 0;  // since they were last reported
  std::chrono::steady_clock::time_point next_report_{};

  using Box = std::vector<std::pair<std::shared_ptr<Connection>, HttpResponse>>;
  Box own_box_;  // of this thread's own runs
  std::mutex box_mutex_;
  Box box_;
  bool stopped_ = false;
};

}  // namespace supernova::protocol::http
