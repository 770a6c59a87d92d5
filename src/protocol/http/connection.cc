#include "protocol/http/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "protocol/http/reply.h"

namespace supernova::protocol::http {
namespace {

constexpr std::chrono::seconds kAwakeFor{1};
// Of one connection in a row, each as much as there was room for.
constexpr int kReadsInARow = 16;

}  // namespace

Connection::Connection(std::shared_ptr<Worker> worker, Accepted accepted)
    : worker_(std::move(worker)),
      stream_(std::move(accepted.socket)),
      peer_(std::make_shared<const Peer>(Peer{std::move(accepted.address), "", ""})),
      tls_(std::move(accepted.tls)),
      one_more_(accepted.one_more),
      input_(worker_->options().max_header_bytes + BlockPool::kBlockSize,
             PoolAllocator<char>(worker_->blocks())),
      body_(worker_->options().max_body_bytes, worker_->budget()) {}

void Connection::start() {
  const int on = 1;
  ::setsockopt(stream_.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!worker_->loop().watch(stream_.descriptor(), *this)) return close();
  if (one_more_) {
    if (tls_) return close();
    return fail(503, base::str_cat("all ", worker_->options().max_connections,
                                   " connections are taken; try again later"));
  }
  if (!tls_) return next_request();
  state_ = State::kHandshake;
  set_deadline(worker_->options().handshake_timeout);
  if (!stream_.start_tls(std::move(tls_))) close();
}

void Connection::ready(uint32_t events) {
  stream_.note(events);
  reads_left_ = kReadsInARow;
  switch (state_) {
    case State::kHandshake:
      shake_hands();
      break;
    case State::kHandling:
      if (sweeps_handling_ > 1) look_for_disconnect();
      return;
    case State::kWriting:
      write_more();
      break;
    case State::kLingering:
      return discard();
    case State::kCoding:
    case State::kClosed:
      return;
    default:
      break;
  }
  pump();
}

// Until the next event.
void Connection::wait() {
  if (stream_.wants_output() && !watches_output_) {
    watches_output_ = worker_->loop().watch_output(stream_.descriptor(), *this);
  }
  if (input_.size() > 0) return;
  input_.clear();
  input_.shrink_to_fit();
}

void Connection::shake_hands() {
  const Outcome outcome = stream_.handshake();
  if (outcome == Outcome::kWait) return wait();
  if (outcome == Outcome::kDone) return hands_shaken();
  if (outcome == Outcome::kPlain) {
    worker_->report_failed_handshake(peer_->address, "it speaks plain HTTP");
    return fail(400, "this port speaks HTTPS; use https:// in the address");
  }
  worker_->report_failed_handshake(peer_->address, stream_.session().error());
  close();
}

void Connection::hands_shaken() {
  tls::PeerIdentity identity = stream_.session().peer();
  peer_ = std::make_shared<const Peer>(
      Peer{peer_->address, std::move(identity.common_name), std::move(identity.alternative_name)});
  next_request();
}

void Connection::next_request() {
  state_ = State::kHead;
  parser_.reset();
  head_bytes_ = 0;
  http_1_1_ = true;
  is_head_ = false;
  response_coding_ = Coding::kIdentity;
  set_deadline(worker_->options().idle_timeout);
}

// Goes on as far as the bytes at hand allow.
void Connection::pump() {
  for (;;) {
    bool went_on = false;
    switch (state_) {
      case State::kHead:
        went_on = parse_head();
        break;
      case State::kChunks:
        went_on = parse_chunks();
        break;
      case State::kCodedBody:
        went_on = parse_coded_body();
        break;
      case State::kBody:
        went_on = receive_body();
        if (!went_on) return wait();
        break;
      default:
        return wait();
    }
    if (!went_on && !read_some()) return wait();
  }
}

// In the next turn: the thread's other connections come first.
void Connection::pump_again() {
  worker_->loop().call_soon([self = shared_from_this(), epoch = epoch_] {
    if (epoch != self->epoch_) return;
    self->reads_left_ = kReadsInARow;
    self->pump();
  });
}

void Connection::dispatch() {
  state_ = State::kHandling;
  worker_->request_begins();
  deadline_ = Clock::time_point::max();  // the handler has deadlines of its own
  sweeps_handling_ = 0;
  may_look_ = true;
  // The last one serves again where nobody else holds it any more.
  if (cancellation_ == nullptr || cancellation_.use_count() > 1 || cancellation_->cancelled()) {
    cancellation_ = std::make_shared<tensor::Cancellation>();
  }
  in_handler_ = true;
  try {
    worker_->handler().handle({head_, std::move(received_), cancellation_, peer_},
                              Reply(shared_from_this()));
  } catch (const std::exception& error) {
    // Its Reply has answered 500 on the way out.
    SN_LOG(Error, "HTTP handler: {}", error.what());
  }
  in_handler_ = false;
}

void Connection::take_response(HttpResponse response) {
  if (state_ != State::kHandling) return body_.clear();  // closed meanwhile
  // Now, so that the client has it while the handler still clears up; dispatch()'s caller goes on.
  if (in_handler_) return write_response(std::move(response));
  reads_left_ = kReadsInARow;
  write_response(std::move(response));
  pump();
}

// Only for requests that take long: it costs a system call.
void Connection::look_for_disconnect() {
  if (!may_look_ || !stream_.may_read()) return;
  const Stream::Sight sight = stream_.peek();
  if (sight == Stream::Sight::kNothing) return;
  may_look_ = false;
  if (sight == Stream::Sight::kSomething) return;  // the next request; behind it can't be seen
  keep_alive_ = false;
  cancellation_->cancel();
}

// A connection that waits for long gives back what it kept for its next request.
void Connection::forget_head() {
  head_.reset();
  head_text_ = {};
  outgoing_.forget();
}

void Connection::begin_transfer() {
  transfer_began_ = now();
  transferred_ = 0;
  made_progress(0);
}

void Connection::made_progress(size_t bytes) {
  const HttpServerOptions& options = worker_->options();
  transferred_ += bytes;
  set_deadline(options.body_timeout);
  if (options.min_bytes_per_second == 0) return;
  const std::chrono::seconds earned(transferred_ / options.min_bytes_per_second);
  deadline_ = std::min(deadline_, transfer_began_ + options.transfer_grace + earned);
}

void Connection::look_at_time(Clock::time_point now) {
  if (state_ == State::kHandling && ++sweeps_handling_ > 1) look_for_disconnect();
  // What has come meanwhile counts as progress.
  if (state_ == State::kBody) stream_.gather(1);
  if (now < deadline_) {
    const bool waits_long = deadline_ - now <= worker_->options().idle_timeout - kAwakeFor;
    if (is_between_requests() && waits_long) forget_head();
    return;
  }
  switch (state_) {
    case State::kHandshake:
      worker_->report_failed_handshake(peer_->address, "it took too long");
      return close();
    case State::kHead:
      if (is_between_requests()) return close();
      return fail(408, "the request's header did not arrive in time");
    case State::kWriting:
    case State::kLingering:
      return close();
    default:
      return fail(408, "the request's body made no progress or came too slowly");
  }
}

void Connection::close_if_idle() {
  if (state_ == State::kHandshake) return close();
  if (!is_between_requests() || input_.size() > 0) return;
  // A request that is already here is still answered.
  if (stream_.peek() == Stream::Sight::kSomething) return;
  close();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  const bool is_handling = state_ == State::kHandling;
  if (is_handling) worker_->request_ends();
  state_ = State::kClosed;
  ++epoch_;
  if (cancellation_) cancellation_->cancel();
  worker_->loop().forget(stream_.descriptor());
  stream_.close();
  input_.clear();
  input_.shrink_to_fit();
  outgoing_.clear();
  if (!is_handling) body_.clear();  // else the handler still has it
  worker_->remove(shared_from_this());
}

}  // namespace supernova::protocol::http
