// How a connection writes responses.
#include "protocol/http/connection.h"

namespace supernova::protocol::http {
namespace {

constexpr int kDiscardsInARow = 64;

}  // namespace

// Answers on behalf of the handler and closes: what follows on the connection can't be trusted.
void Connection::fail(int status, std::string_view message) {
  fail(error_response(status, message));
}

void Connection::fail(HttpResponse response) {
  ++epoch_;
  keep_alive_ = false;
  linger_ = true;
  stream_.gather(1);
  body_.clear();
  write_response(std::move(response));
}

void Connection::write_response(HttpResponse response) {
  if (state_ == State::kHandling) worker_->request_ends();
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
    return worker_->loop().call_soon([self = shared_from_this(), epoch = epoch_] {
      if (epoch != self->epoch_) return;
      self->reads_left_ = 1;
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
    const auto [outcome, sent] = stream_.write_some(outgoing_.unwritten());
    if (outcome == Outcome::kWait) return wait();
    if (outcome != Outcome::kDone) return close();
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
  if (!stream_.shutdown_send()) return close();
  state_ = State::kLingering;
  set_deadline(std::chrono::seconds(2));
  parser_.reset();
  input_.clear();
  discard();
}

// What still comes is taken until the client has closed too.
void Connection::discard() {
  for (int i = 0; i < kDiscardsInARow; ++i) {
    const Outcome outcome = stream_.discard();
    if (outcome == Outcome::kWait) return wait();
    if (outcome != Outcome::kDone) return close();
  }
  worker_->loop().call_soon([self = shared_from_this()] {
    if (self->state_ == State::kLingering) self->discard();
  });
}

}  // namespace supernova::protocol::http
