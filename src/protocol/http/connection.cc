#include "protocol/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/log.h"
#include "base/text.h"
#include "protocol/http/reply.h"
#include "protocol/http/response_head.h"

namespace supernova::protocol::http {
namespace {

namespace net = boost::asio;
namespace beast_http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr size_t kReadSize = 8 * 1024;
constexpr size_t kTrustedBodyBytes = 16 * 1024 * 1024;
constexpr size_t kFirstBodyBytes = 1024 * 1024;
constexpr size_t kBodyGrowth = 16;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

// How much memory a body of `length` bytes gets when `received` have come: little on a mere
// announcement, so that a Content-Length alone can't reserve gigabytes.
size_t body_capacity(size_t length, size_t received) {
  if (length <= kTrustedBodyBytes) return length;
  const size_t earned = std::max(kFirstBodyBytes, received);
  return earned >= length / kBodyGrowth ? length
                                        : std::max(kFirstBodyBytes, received * kBodyGrowth);
}

}  // namespace

Connection::Connection(std::shared_ptr<Worker> worker, net::ip::tcp::socket socket)
    : worker_(std::move(worker)),
      socket_(std::move(socket)),
      input_(worker_->options().max_header_bytes + kReadSize) {}

void Connection::set_deadline(Clock::duration from_now) { deadline_ = Clock::now() + from_now; }

void Connection::start() {
  ErrorCode error;
  socket_.non_blocking(true, error);
  socket_.set_option(net::ip::tcp::no_delay(true), error);
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
  set_deadline(worker_->options().idle_timeout);
}

// Goes on as far as the bytes at hand allow.
void Connection::pump() {
  while (state_ == State::kHead || state_ == State::kChunks) {
    const bool went_on = state_ == State::kHead ? parse_head() : parse_chunks();
    if (!went_on) return read_some();
  }
}

void Connection::read_some() {
  const auto room = std::min(kReadSize, input_.max_size() - input_.size());
  if (room == 0) return fail(400, "malformed HTTP request: a chunk's header is too large");
  socket_.async_read_some(input_.prepare(room), [self = shared_from_this(), epoch = epoch_](
                                                    const ErrorCode& error, size_t size) {
    if (epoch != self->epoch_) return;
    if (error) return self->read_failed(error);
    self->input_.commit(size);
    if (self->state_ == State::kChunks) self->set_deadline(self->worker_->options().body_timeout);
    self->pump();
  });
}

void Connection::read_failed(const ErrorCode& error) {
  const bool between_requests = state_ == State::kHead && !parser_;
  if (error != net::error::eof || between_requests) return close();
  if (state_ == State::kBody) {
    return fail(
        400, base::str_cat("the body ends after ", body_received_, " of ", body_length_, " bytes"));
  }
  fail(400, state_ == State::kChunks ? "the chunked body ends before its last chunk"
                                     : "malformed HTTP request: it ends inside its header");
}

// False when more bytes are needed.
bool Connection::parse_head() {
  if (input_.size() == 0) return false;
  const HttpServerOptions& options = worker_->options();
  if (!parser_) {
    parser_.emplace(options.max_header_bytes, options.max_body_bytes);
    set_deadline(options.header_timeout);
  }
  ErrorCode error;
  const size_t used = parser_->put(input_.data(), error);
  input_.consume(used);
  head_bytes_ += used;  // Beast's own limit starts anew with each field it has taken
  const bool too_large = head_bytes_ + (error ? input_.size() : 0) > options.max_header_bytes;
  if (error == beast_http::error::header_limit ||
      (too_large && error == beast_http::error::need_more) ||
      head_bytes_ > options.max_header_bytes) {
    fail(431,
         base::str_cat("the request's header is larger than ", options.max_header_bytes, " bytes"));
    return true;
  }
  if (error == beast_http::error::need_more) return false;
  if (error) {
    fail(400, base::str_cat("malformed HTTP request: ", error.message()));
    return true;
  }
  if (parser_->is_header_done()) begin_body();
  return true;
}

void Connection::begin_body() {
  keep_alive_ = parser_->keep_alive();
  http_1_1_ = parser_->is_http_1_1();
  is_head_ = parser_->request().method == "HEAD";
  const std::string& coding = parser_->transfer_encoding();
  if (!coding.empty() && !equals_ignoring_case(coding, "chunked")) {
    return fail(501, base::str_cat("Transfer-Encoding '", coding,
                                   "' is not supported; send the body with Content-Length"));
  }
  const std::string* expect = parser_->request().header("expect");
  if (expect != nullptr && !equals_ignoring_case(*expect, "100-continue")) {
    return fail(417, base::str_cat("Expect '", *expect, "' is not supported"));
  }
  if (parser_->chunked()) {
    parser_->eager(true);
    state_ = State::kChunks;
    set_deadline(worker_->options().body_timeout);
    if (expect != nullptr) answer_expectation();
    return;
  }
  const uint64_t length = parser_->content_length().value_or(0);
  if (length > worker_->options().max_body_bytes) {
    return refuse_body(RequestParser::Refusal::kTooLarge);
  }
  begin_sized_body(length);
}

void Connection::begin_sized_body(uint64_t length) {
  if (length == 0) return dispatch();
  body_length_ = length;
  body_received_ = 0;
  body_offset_ = parser_->aligned_offset(length);
  body_ = {};
  if (!reserve_body()) return refuse_body(RequestParser::Refusal::kNoMemory);
  const size_t at_hand = std::min({input_.size(), body_length_, body_.size()});
  std::memcpy(body_.data(), input_.data().data(), at_hand);
  input_.consume(at_hand);
  body_received_ = at_hand;
  state_ = State::kBody;
  set_deadline(worker_->options().body_timeout);
  if (body_received_ < body_length_ && parser_->request().header("expect") != nullptr) {
    answer_expectation();
  }
  if (state_ == State::kBody) read_body();
}

// Only for who waits: a body that has begun to arrive needs no encouragement.
void Connection::answer_expectation() {
  if (!http_1_1_ || input_.size() > 0 || body_received_ > 0) return;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  ErrorCode error;
  const size_t sent = socket_.write_some(net::buffer(kContinue.data(), kContinue.size()), error);
  // Nothing else is on its way to the client, so a full send buffer means a broken peer.
  if (error || sent != kContinue.size()) close();
}

bool Connection::reserve_body() {
  const size_t capacity = body_capacity(body_length_, body_received_);
  if (body_.data() != nullptr && body_.size() >= capacity) return true;
  tensor::Buffer larger = tensor::Buffer::allocate_aligned_at(capacity, body_offset_);
  if (larger.data() == nullptr) return false;
  if (body_received_ > 0) std::memcpy(larger.data(), body_.data(), body_received_);
  body_ = std::move(larger);
  return true;
}

void Connection::read_body() {
  if (body_received_ == body_length_) {
    parser_->request().body = std::move(body_);
    body_ = {};
    return dispatch();
  }
  if (body_received_ == body_.size() && !reserve_body()) {
    return refuse_body(RequestParser::Refusal::kNoMemory);
  }
  socket_.async_read_some(
      net::buffer(body_.data() + body_received_, body_.size() - body_received_),
      [self = shared_from_this(), epoch = epoch_](const ErrorCode& error, size_t size) {
        if (epoch != self->epoch_) return;
        if (error) return self->read_failed(error);
        self->body_received_ += size;
        self->set_deadline(self->worker_->options().body_timeout);
        self->read_body();
        self->pump();
      });
}

bool Connection::parse_chunks() {
  if (input_.size() == 0) return false;
  ErrorCode error;
  input_.consume(parser_->put(input_.data(), error));
  if (parser_->refusal() != RequestParser::Refusal::kNone) {
    refuse_body(parser_->refusal());
    return true;
  }
  if (error == beast_http::error::need_more) return false;
  if (error) {
    fail(400, base::str_cat("malformed chunked body: ", error.message()));
    return true;
  }
  if (!parser_->is_done()) return input_.size() > 0;
  parser_->finish_chunked_body();
  dispatch();
  return true;
}

void Connection::refuse_body(RequestParser::Refusal refusal) {
  switch (refusal) {
    case RequestParser::Refusal::kTooManyChunks:
      return fail(400, base::str_cat("the body comes in more than ", RequestParser::kMaxChunks,
                                     " chunks; send fewer, or Content-Length"));
    case RequestParser::Refusal::kNoMemory:
      return fail(503, "there is no memory for the request's body");
    default:
      return fail(413, base::str_cat("the request's body is larger than ",
                                     worker_->options().max_body_bytes, " bytes"));
  }
}

// Answers on behalf of the handler and closes: what follows on the connection can't be trusted.
void Connection::fail(int status, std::string_view message) {
  ++epoch_;
  ErrorCode ignored;
  socket_.cancel(ignored);
  keep_alive_ = false;
  linger_ = true;
  write_response(error_response(status, message));
}

void Connection::dispatch() {
  state_ = State::kHandling;
  deadline_ = Clock::time_point::max();  // the handler has deadlines of its own
  sweeps_handling_ = 0;
  may_watch_ = true;
  cancellation_ = std::make_shared<tensor::Cancellation>();
  HttpRequest request = std::move(parser_->request());
  request.cancellation = cancellation_;
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
  if (state_ != State::kHandling) return;  // closed meanwhile
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
  socket_.async_wait(net::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const ErrorCode& error) {
                       self->watching_ = false;
                       if (!error && self->state_ == State::kHandling) self->look_for_disconnect();
                     });
}

void Connection::look_for_disconnect() {
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  may_watch_ = false;
  if (got > 0) return;  // the next request; what is behind it can't be seen
  keep_alive_ = false;
  cancellation_->cancel();
}

void Connection::write_response(HttpResponse response) {
  state_ = State::kWriting;
  set_deadline(worker_->options().body_timeout);
  keep_alive_ = keep_alive_ && !worker_->draining();
  response_ = std::move(response);
  head_.clear();
  append_head(head_, response_, keep_alive_, http_1_1_);
  unwritten_.clear();
  next_unwritten_ = 0;
  unwritten_.push_back(net::buffer(head_));
  if (!is_head_) {
    if (!response_.body.empty()) unwritten_.push_back(net::buffer(response_.body));
    for (const tensor::Buffer& buffer : response_.buffers) {
      if (buffer.size() > 0) unwritten_.push_back(net::buffer(buffer.data(), buffer.size()));
    }
  }
  write_more();
}

void Connection::write_more() {
  while (next_unwritten_ < unwritten_.size()) {
    ErrorCode error;
    const std::span rest(unwritten_.data() + next_unwritten_, unwritten_.size() - next_unwritten_);
    size_t sent = socket_.write_some(rest, error);
    if (error == net::error::would_block || error == net::error::try_again) {
      socket_.async_wait(net::ip::tcp::socket::wait_write,
                         [self = shared_from_this(), epoch = epoch_](const ErrorCode& failed) {
                           if (epoch != self->epoch_) return;
                           if (failed) return self->close();
                           self->write_more();
                           self->pump();
                         });
      return;
    }
    if (error) return close();
    set_deadline(worker_->options().body_timeout);
    while (next_unwritten_ < unwritten_.size() && sent >= unwritten_[next_unwritten_].size()) {
      sent -= unwritten_[next_unwritten_++].size();
    }
    if (sent > 0) unwritten_[next_unwritten_] += sent;
  }
  written();
}

void Connection::written() {
  response_ = {};  // gives the buffers back now, not with the next response
  unwritten_.clear();
  if (keep_alive_) return next_request();
  if (linger_) return linger();
  close();
}

// Closing with unread input would reset the connection and could destroy the response on its way.
void Connection::linger() {
  ErrorCode error;
  socket_.shutdown(net::ip::tcp::socket::shutdown_send, error);
  if (error) return close();
  state_ = State::kLingering;
  set_deadline(std::chrono::seconds(2));
  parser_.reset();
  body_ = {};
  input_.clear();
  discard();
}

void Connection::discard() {
  socket_.async_read_some(input_.prepare(kReadSize),
                          [self = shared_from_this()](const ErrorCode& error, size_t) {
                            if (self->state_ != State::kLingering) return;
                            if (error) return self->close();
                            self->discard();
                          });
}

void Connection::look_at_time(Clock::time_point now) {
  if (state_ == State::kHandling && may_watch_ && !watching_ && ++sweeps_handling_ > 1) watch();
  if (now < deadline_) return;
  const bool idle = state_ == State::kHead && !parser_;
  if (idle || state_ == State::kWriting || state_ == State::kLingering) return close();
  fail(408, state_ == State::kHead ? "the request's header did not arrive in time"
                                   : "the request's body made no progress");
}

void Connection::close_if_idle() {
  if (state_ != State::kHead || parser_ || input_.size() > 0) return;
  // A request that is already here is still answered.
  ErrorCode error;
  if (socket_.available(error) > 0 && !error) return;
  close();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  ++epoch_;
  if (cancellation_) cancellation_->cancel();
  ErrorCode ignored;
  socket_.shutdown(net::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  worker_->remove(shared_from_this());
}

}  // namespace supernova::protocol::http
