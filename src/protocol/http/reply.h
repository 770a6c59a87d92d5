// The Responder of one request. Used once from any thread; dropped unused, it answers 500, so that
// no client waits for ever.
#pragma once

#include <memory>
#include <utility>

#include "protocol/http/connection.h"

namespace supernova::protocol::http {

class Reply {
 public:
  explicit Reply(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Reply(Reply&&) = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (connection_) (*this)(error_response(500, "the request was dropped without an answer"));
  }

  void operator()(HttpResponse response) {
    const std::shared_ptr<Connection> connection = std::move(connection_);
    if (!connection) return;
    // Inside handle(), on the same thread, the response needs no detour.
    if (connection->worker_->on_thread() && connection->in_handler_) {
      connection->take_response(std::move(response));
    } else {
      connection->worker_->deliver(connection, std::move(response));
    }
  }

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace supernova::protocol::http
