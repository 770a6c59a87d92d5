// How a connection writes responses.
#include <boost/asio/post.hpp>

#include "protocol/http/connection.h"

namespace supernova::protocol::http {

namespace net = boost::asio;

// Answers on behalf of the handler and closes: what follows on the connection can't be trusted.
void Connection::fail(int status, std::string_view message) {
  fail(error_response(status, message));
}

void Connection::fail(HttpResponse response) {
  ++epoch_;
  stream_.cancel();
  keep_alive_ = false;
  linger_ = true;
  body_.clear();
  write_response(std::move(response));
}

void Connection::write_response(HttpResponse response) {
  state_ = State::kCoding;
  deadline_ = Clock::time_point::max();
  keep_alive_ = keep_alive_ && !response.close && !worker_->draining();
  outgoing_.begin(std::move(response), {keep_alive_, http_1_1_, is_head_}, response_coding_);
  code_response();
}

void Connection::code_response() {
  if (outgoing_.is_coding()) outgoing_.code_slice();
  if (outgoing_.is_coding()) {
    // The thread's other connections come first.
    return net::post(worker_->loop(), [self = shared_from_this(), epoch = epoch_] {
      if (epoch != self->epoch_) return;
      self->code_response();
      self->pump();
    });
  }
  state_ = State::kWriting;
  begin_transfer();
  write_more();
}

void Connection::write_more() {
  while (!outgoing_.unwritten().empty()) {
    ErrorCode error;
    const size_t sent = stream_.write_some(outgoing_.unwritten(), error);
    if (error == net::error::would_block || error == net::error::try_again) {
      return stream_.async_wait_write(
          [self = shared_from_this(), epoch = epoch_](const ErrorCode& failed) {
            if (epoch != self->epoch_) return;
            if (failed) return self->close();
            self->write_more();
            self->pump();
          });
    }
    if (error) return close();
    made_progress(sent);
    outgoing_.consume(sent);
  }
  written();
}

void Connection::written() {
  outgoing_.clear();  // gives the buffers back now, not with the next response
  body_.clear();
  if (keep_alive_) {
    next_request();
    if (worker_->draining()) close_if_idle();  // which began while the response was on its way
    return;
  }
  if (linger_) return linger();
  close();
}

// Closing with unread input would reset the connection and could destroy the response on its way.
void Connection::linger() {
  ErrorCode error;
  stream_.shutdown_send(error);
  if (error) return close();
  state_ = State::kLingering;
  set_deadline(std::chrono::seconds(2));
  parser_.reset();
  input_.clear();
  discard();
}

void Connection::discard() {
  stream_.socket().async_read_some(input_.prepare(BlockPool::kBlockSize),
                                   [self = shared_from_this()](const ErrorCode& error, size_t) {
                                     if (self->state_ != State::kLingering) return;
                                     if (error) return self->close();
                                     self->discard();
                                   });
}

}  // namespace supernova::protocol::http
