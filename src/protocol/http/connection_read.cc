// How a connection reads requests.
#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "protocol/http/connection.h"

namespace supernova::protocol::http {
namespace {

namespace net = boost::asio;
namespace beast_http = boost::beast::http;

constexpr size_t kReadSize = BlockPool::kBlockSize;
constexpr size_t kLeastRead = 1024;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

}  // namespace

void Connection::read_some() {
  // What is left of the block, as long as it is worth a system call.
  size_t room = input_.capacity() - input_.size();
  if (room < kLeastRead) room = kReadSize;
  room = std::min({room, kReadSize, input_.max_size() - input_.size()});
  if (room == 0) return fail(400, "malformed HTTP request: a chunk's header is too large");
  stream_.async_read_some(input_.prepare(room), [self = shared_from_this(), epoch = epoch_](
                                                    const ErrorCode& error, size_t size) {
    if (epoch != self->epoch_) return;
    if (error == net::error::operation_aborted && self->asleep_) return self->wait_for_input();
    self->asleep_ = false;
    if (error) return self->read_failed(error);
    self->input_.commit(size);
    if (self->state_ != State::kHead) self->made_progress(size);
    self->pump();
  });
}

void Connection::read_failed(const ErrorCode& error) {
  if (error != net::error::eof || is_between_requests()) return close();
  if (state_ == State::kBody || state_ == State::kCodedBody) {
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
    parser_.emplace(options.max_header_bytes, options.max_body_bytes, body_);
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
  HttpRequest& request = parser_->request();
  is_head_ = request.method == "HEAD";
  const std::string& transfer_coding = parser_->transfer_encoding();
  if (!transfer_coding.empty() && !equals_ignoring_case(transfer_coding, "chunked")) {
    return fail(501, base::str_cat("Transfer-Encoding '", transfer_coding,
                                   "' is not supported; send the body with Content-Length"));
  }
  const std::string* expect = request.header("expect");
  if (expect != nullptr && !equals_ignoring_case(*expect, "100-continue")) {
    return fail(417, base::str_cat("Expect '", *expect, "' is not supported"));
  }
  const std::optional<Coding> coding = content_coding(request);
  if (!coding) {
    HttpResponse response = error_response(
        501, base::str_cat("Content-Encoding '", *request.header("content-encoding"),
                           "' is not supported; send the body as gzip, deflate or as it is"));
    response.headers.emplace_back("Accept-Encoding", "gzip, deflate");
    return fail(std::move(response));
  }
  if (*coding != Coding::kIdentity) {
    std::erase_if(request.headers, [](const auto& it) { return it.first == "content-encoding"; });
  }
  if (parser_->chunked()) return begin_chunked_body(*coding);
  const uint64_t length = parser_->content_length().value_or(0);
  if (length > worker_->options().max_body_bytes) return refuse_body(Refusal::kTooLarge);
  begin_sized_body(length, *coding);
}

void Connection::begin_chunked_body(Coding coding) {
  body_.begin(parser_->aligned_offset(worker_->options().max_body_bytes), std::nullopt, coding);
  parser_->eager(true);
  state_ = State::kChunks;
  body_received_ = 0;
  begin_transfer();
  if (parser_->request().header("expect") != nullptr) answer_expectation();
}

void Connection::begin_sized_body(uint64_t length, Coding coding) {
  if (length == 0) return dispatch();
  begin_transfer();
  body_length_ = length;
  body_received_ = std::min<uint64_t>(input_.size(), length);
  const bool is_coded = coding != Coding::kIdentity;
  body_.begin(parser_->aligned_offset(is_coded ? worker_->options().max_body_bytes : length),
              is_coded ? std::nullopt : std::optional<uint64_t>(length), coding);
  if (is_coded) {
    state_ = State::kCodedBody;
    body_received_ = 0;  // pump() goes on with what is at hand
    if (parser_->request().header("expect") != nullptr) answer_expectation();
    return;
  }
  state_ = State::kBody;
  if (const Refusal refusal = body_.prepare(); refusal != Refusal::kNone) {
    return refuse_body(refusal);
  }
  const std::span<std::byte> room = body_.room();
  body_received_ = std::min<uint64_t>(body_received_, room.size());
  std::memcpy(room.data(), input_.data().data(), body_received_);
  input_.consume(body_received_);
  if (const Refusal refusal = body_.commit(body_received_); refusal != Refusal::kNone) {
    return refuse_body(refusal);
  }
  if (body_received_ < body_length_ && parser_->request().header("expect") != nullptr) {
    answer_expectation();
  }
  if (state_ == State::kBody) read_body();
}

// Only for who waits: a body that has begun to arrive needs no encouragement.
void Connection::answer_expectation() {
  if (!http_1_1_ || input_.size() > 0 || body_received_ > 0) return;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const net::const_buffer text = net::buffer(kContinue.data(), kContinue.size());
  ErrorCode error;
  const size_t sent = stream_.write_some({&text, 1}, error);
  // Nothing else is on its way to the client, so a full send buffer means a broken peer.
  if (error || sent != kContinue.size()) close();
}

void Connection::read_body() {
  if (body_received_ == body_length_) return end_body();
  if (const Refusal refusal = body_.prepare(); refusal != Refusal::kNone) {
    return refuse_body(refusal);
  }
  const std::span<std::byte> room = body_.room();
  stream_.async_read_some(
      net::buffer(room.data(), room.size()),
      [self = shared_from_this(), epoch = epoch_](const ErrorCode& error, size_t size) {
        if (epoch != self->epoch_) return;
        if (error) return self->read_failed(error);
        self->body_received_ += size;
        self->made_progress(size);
        const Refusal refusal = self->body_.commit(size);
        if (refusal != Refusal::kNone) {
          self->refuse_body(refusal);
        } else {
          self->read_body();
        }
        self->pump();
      });
}

bool Connection::parse_coded_body() {
  if (input_.size() == 0) return false;
  const size_t size = std::min<uint64_t>(input_.size(), body_length_ - body_received_);
  const Refusal refusal = body_.append({static_cast<const char*>(input_.data().data()), size});
  input_.consume(size);
  body_received_ += size;
  if (refusal != Refusal::kNone) {
    refuse_body(refusal);
  } else if (body_received_ == body_length_) {
    end_body();
  }
  return true;
}

bool Connection::parse_chunks() {
  if (input_.size() == 0) return false;
  ErrorCode error;
  input_.consume(parser_->put(input_.data(), error));
  if (parser_->refusal() != Refusal::kNone) {
    refuse_body(parser_->refusal());
    return true;
  }
  if (error == beast_http::error::need_more) return false;
  if (error) {
    fail(400, base::str_cat("malformed chunked body: ", error.message()));
    return true;
  }
  if (!parser_->is_done()) return input_.size() > 0;
  end_body();
  return true;
}

void Connection::end_body() {
  if (const Refusal refusal = body_.finish(); refusal != Refusal::kNone) {
    return refuse_body(refusal);
  }
  parser_->request().body = body_.take();
  dispatch();
}

void Connection::refuse_body(Refusal refusal) {
  switch (refusal) {
    case Refusal::kTooManyChunks:
      return fail(400, base::str_cat("the body comes in more than ", RequestParser::kMaxChunks,
                                     " chunks; send fewer, or Content-Length"));
    case Refusal::kNoMemory:
      return fail(503, "there is no memory for the request's body");
    case Refusal::kBusy:
      return fail(
          503, base::str_cat("the requests in progress use all of the ", worker_->budget().limit(),
                             " bytes for request bodies; try again later"));
    case Refusal::kBroken:
      return fail(400, std::string(body_.error()));
    default:
      return fail(413, base::str_cat("the request's body is larger than ",
                                     worker_->options().max_body_bytes, " bytes"));
  }
}

}  // namespace supernova::protocol::http
