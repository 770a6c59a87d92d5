#include "protocol/http/connection.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "protocol/http/reply.h"

namespace supernova::protocol::http {
namespace {

namespace net = boost::asio;

constexpr std::chrono::seconds kAwakeFor{1};

std::string address_of(const net::ip::tcp::endpoint& peer) {
  // A v4 client of a v6 port is known by its v4 address.
  const net::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}  // namespace

Connection::Connection(std::shared_ptr<Worker> worker, Accepted accepted)
    : worker_(std::move(worker)),
      stream_(std::move(accepted.socket)),
      peer_{address_of(accepted.peer), "", ""},
      tls_(std::move(accepted.tls)),
      one_more_(accepted.one_more),
      input_(worker_->options().max_header_bytes + BlockPool::kBlockSize,
             PoolAllocator<char>(worker_->blocks())),
      body_(worker_->options().max_body_bytes, worker_->budget()) {}

void Connection::start() {
  ErrorCode error;
  stream_.socket().non_blocking(true, error);
  stream_.socket().set_option(net::ip::tcp::no_delay(true), error);
  if (one_more_) {
    if (tls_) return close();
    return fail(503, base::str_cat("all ", worker_->options().max_connections,
                                   " connections are taken; try again later"));
  }
  if (tls_) return shake_hands(std::move(tls_));
  next_request();
  pump();
}

void Connection::shake_hands(tls::ContextPtr context) {
  state_ = State::kHandshake;
  set_deadline(worker_->options().handshake_timeout);
  if (!stream_.start_tls(std::move(context))) return close();
  stream_.async_handshake([self = shared_from_this(), epoch = epoch_](const ErrorCode& error) {
    if (epoch == self->epoch_) self->hands_shaken(error);
  });
}

void Connection::hands_shaken(const ErrorCode& error) {
  if (error == net::error::operation_not_supported) {
    worker_->report_failed_handshake(peer_.address, "it speaks plain HTTP");
    return fail(400, "this port speaks HTTPS; use https:// in the address");
  }
  if (error) {
    worker_->report_failed_handshake(peer_.address, stream_.session().error());
    return close();
  }
  tls::PeerIdentity identity = stream_.session().peer();
  peer_.common_name = std::move(identity.common_name);
  peer_.alternative_name = std::move(identity.alternative_name);
  next_request();
  pump();
}

void Connection::next_request() {
  state_ = State::kHead;
  parser_.reset();
  cancellation_.reset();
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
      default:
        return;
    }
    if (!went_on) return read_some();
  }
}

void Connection::dispatch() {
  state_ = State::kHandling;
  deadline_ = Clock::time_point::max();  // the handler has deadlines of its own
  sweeps_handling_ = 0;
  may_watch_ = true;
  cancellation_ = std::make_shared<tensor::Cancellation>();
  HttpRequest request = std::move(parser_->request());
  request.cancellation = cancellation_;
  request.peer = peer_;
  response_coding_ = acceptable_coding(request);
  in_handler_ = true;
  try {
    worker_->handler().handle(std::move(request), Reply(shared_from_this()));
  } catch (const std::exception& error) {
    // Its Reply has answered 500 on the way out.
    SN_LOG(Error, "HTTP handler: {}", error.what());
  }
  in_handler_ = false;
  if (early_response_) {
    HttpResponse response = std::move(*early_response_);
    early_response_.reset();
    write_response(std::move(response));
  }
}

void Connection::take_response(HttpResponse response) {
  if (state_ != State::kHandling) return body_.clear();  // closed meanwhile
  if (in_handler_) {
    early_response_ = std::move(response);
    return;
  }
  write_response(std::move(response));
  pump();
}

// Asks to be told when the client sends something or goes away. Only for requests that take long:
// it costs a system call.
void Connection::watch() {
  watching_ = true;
  stream_.socket().async_wait(net::ip::tcp::socket::wait_read,
                              [self = shared_from_this()](const ErrorCode& error) {
                                self->watching_ = false;
                                if (!error && self->state_ == State::kHandling)
                                  self->look_for_disconnect();
                              });
}

void Connection::look_for_disconnect() {
  const Stream::Sight sight = stream_.peek();
  if (sight == Stream::Sight::kNothing) return;
  may_watch_ = false;
  if (sight == Stream::Sight::kSomething) return;  // the next request; behind it can't be seen
  keep_alive_ = false;
  cancellation_->cancel();
}

// A connection that waits for long gives its input buffer back: the read comes back cancelled, and
// waiting goes on without memory.
void Connection::fall_asleep() {
  asleep_ = true;
  stream_.cancel();
}

void Connection::wait_for_input() {
  input_.clear();
  input_.shrink_to_fit();
  stream_.socket().async_wait(net::ip::tcp::socket::wait_read,
                              [self = shared_from_this(), epoch = epoch_](const ErrorCode& error) {
                                if (epoch != self->epoch_) return;
                                self->asleep_ = false;
                                if (error) return self->close();
                                self->pump();
                              });
}

void Connection::begin_transfer() {
  transfer_began_ = Clock::now();
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
  if (state_ == State::kHandling && may_watch_ && !watching_ && ++sweeps_handling_ > 1) watch();
  if (now < deadline_) {
    const bool waits_long = deadline_ - now <= worker_->options().idle_timeout - kAwakeFor;
    if (is_between_requests() && waits_long && !asleep_) fall_asleep();
    return;
  }
  switch (state_) {
    case State::kHandshake:
      worker_->report_failed_handshake(peer_.address, "it took too long");
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
  ErrorCode error;
  if (stream_.socket().available(error) > 0 && !error) return;
  close();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  const bool is_handling = state_ == State::kHandling;
  state_ = State::kClosed;
  ++epoch_;
  if (cancellation_) cancellation_->cancel();
  stream_.close();
  input_.clear();
  input_.shrink_to_fit();
  outgoing_.clear();
  if (!is_handling) body_.clear();  // else the handler still has it
  worker_->remove(shared_from_this());
}

}  // namespace supernova::protocol::http
