// How a connection reads requests.
#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "protocol/http/connection.h"

namespace supernova::protocol::http {
namespace {

namespace beast_http = boost::beast::http;

constexpr size_t kReadSize = BlockPool::kBlockSize;
constexpr size_t kLeastRead = 1024;
// Of a body, what is worth waiting for in one piece; and the most that the kernel is to keep.
constexpr uint64_t kLeastGathered = 64 * 1024;
constexpr uint64_t kMostGathered = 1024 * 1024;
// Longer heads are read anew each time.
constexpr size_t kMaxHeadText = 2048;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

}  // namespace

// False when nothing has come and nothing has changed.
bool Connection::read_some() {
  if (!stream_.may_read()) return false;
  if (reads_left_ == 0) {
    pump_again();
    return false;
  }
  --reads_left_;
  // What is left of the block, as long as it is worth a system call.
  size_t room = input_.capacity() - input_.size();
  if (room < kLeastRead) room = kReadSize;
  room = std::min({room, kReadSize, input_.max_size() - input_.size()});
  if (room == 0) {
    fail(400, "malformed HTTP request: a chunk's header is too large");
    return true;
  }
  const auto memory = input_.prepare(room);
  const auto [outcome, size] =
      stream_.read_some({static_cast<std::byte*>(memory.data()), memory.size()});
  if (outcome == Outcome::kWait) return false;
  if (outcome != Outcome::kDone) {
    read_failed(outcome);
    return true;
  }
  input_.commit(size);
  if (state_ != State::kHead) made_progress(size);
  return true;
}

void Connection::read_failed(Outcome outcome) {
  if (outcome != Outcome::kEnd || is_between_requests()) return close();
  if (state_ == State::kBody || state_ == State::kCodedBody) {
    return fail(400, base::str_cat("the body ends after ", body_received_, " of ", framing_.length,
                                   " bytes"));
  }
  fail(400, state_ == State::kChunks ? "the chunked body ends before its last chunk"
                                     : "malformed HTTP request: it ends inside its header");
}

// False when more bytes are needed.
bool Connection::parse_head() {
  if (input_.size() == 0) return false;
  if (recall_head()) {
    begin_request();
    return true;
  }
  const HttpServerOptions& options = worker_->options();
  if (!parser_) {
    parser_.emplace(options.max_header_bytes, options.max_body_bytes, body_);
    set_deadline(options.header_timeout);
  }
  ErrorCode error;
  const size_t before = head_bytes_;
  const auto bytes = input_.data();
  const size_t used = parser_->put(bytes, error);
  head_bytes_ += used;  // Beast's own limit starts anew with each field it has taken
  const bool too_large =
      head_bytes_ + (error ? input_.size() - used : 0) > options.max_header_bytes;
  if (error == beast_http::error::header_limit ||
      (too_large && error == beast_http::error::need_more) ||
      head_bytes_ > options.max_header_bytes) {
    fail(431,
         base::str_cat("the request's header is larger than ", options.max_header_bytes, " bytes"));
    return true;
  }
  if (error && error != beast_http::error::need_more) {
    fail(400, base::str_cat("malformed HTTP request: ", error.message()));
    return true;
  }
  const bool is_done = !error && parser_->is_header_done();
  head_text_.clear();
  if (is_done && before == 0 && used <= kMaxHeadText) {
    head_text_.assign(static_cast<const char*>(bytes.data()), used);
  }
  input_.consume(used);
  if (is_done && take_head()) begin_request();
  return !error;
}

// The same bytes as last time mean the same.
bool Connection::recall_head() {
  if (parser_ || head_text_.empty() || input_.size() < head_text_.size()) return false;
  if (std::memcmp(input_.data().data(), head_text_.data(), head_text_.size()) != 0) return false;
  input_.consume(head_text_.size());
  return true;
}

// What the parser has found. False where the request is refused.
bool Connection::take_head() {
  HttpHead& head = parser_->head();
  framing_ = {};
  framing_.keep_alive = keep_alive_ = parser_->keep_alive();
  framing_.http_1_1 = http_1_1_ = parser_->is_http_1_1();
  framing_.is_head = is_head_ = head.method == "HEAD";
  framing_.chunked = parser_->chunked();
  framing_.length = parser_->content_length().value_or(0);
  framing_.aligned_offset = parser_->aligned_offset();
  framing_.response_coding = acceptable_coding(head);
  const std::string& transfer_coding = parser_->transfer_encoding();
  if (!transfer_coding.empty() && !equals_ignoring_case(transfer_coding, "chunked")) {
    fail(501, base::str_cat("Transfer-Encoding '", transfer_coding,
                            "' is not supported; send the body with Content-Length"));
    return false;
  }
  const std::string* expect = head.header("expect");
  framing_.expects_continue = expect != nullptr;
  if (expect != nullptr && !equals_ignoring_case(*expect, "100-continue")) {
    fail(417, base::str_cat("Expect '", *expect, "' is not supported"));
    return false;
  }
  const std::optional<Coding> coding = content_coding(head);
  if (!coding) {
    HttpResponse response = error_response(
        501, base::str_cat("Content-Encoding '", *head.header("content-encoding"),
                           "' is not supported; send the body as gzip, deflate or as it is"));
    response.headers.emplace_back("Accept-Encoding", "gzip, deflate");
    fail(std::move(response));
    return false;
  }
  framing_.coding = *coding;
  if (*coding != Coding::kIdentity) {
    std::erase_if(head.headers, [](const auto& it) { return it.first == "content-encoding"; });
  }
  head_ = parser_->take_head();
  if (framing_.chunked) {
    head_text_.clear();  // the parser goes on, with the chunks
  } else {
    parser_.reset();
  }
  return true;
}

// The head is known.
void Connection::begin_request() {
  keep_alive_ = framing_.keep_alive;
  http_1_1_ = framing_.http_1_1;
  is_head_ = framing_.is_head;
  response_coding_ = framing_.response_coding;
  body_received_ = 0;
  if (framing_.chunked) return begin_chunked_body();
  if (framing_.length > worker_->options().max_body_bytes) return refuse_body(Refusal::kTooLarge);
  begin_sized_body();
}

void Connection::begin_chunked_body() {
  const uint64_t limit = worker_->options().max_body_bytes;
  const size_t offset = framing_.aligned_offset <= limit ? framing_.aligned_offset : 0;
  body_.begin(offset, std::nullopt, framing_.coding);
  parser_->eager(true);
  state_ = State::kChunks;
  begin_transfer();
  if (framing_.expects_continue) answer_expectation();
}

void Connection::begin_sized_body() {
  if (framing_.length == 0) {
    received_ = {};
    return dispatch();
  }
  begin_transfer();
  const bool is_coded = framing_.coding != Coding::kIdentity;
  const uint64_t limit = is_coded ? worker_->options().max_body_bytes : framing_.length;
  body_.begin(framing_.aligned_offset <= limit ? framing_.aligned_offset : 0,
              is_coded ? std::nullopt : std::optional<uint64_t>(framing_.length), framing_.coding);
  state_ = is_coded ? State::kCodedBody : State::kBody;
  if (framing_.expects_continue) answer_expectation();
}

// Only for who waits: a body that has begun to arrive needs no encouragement.
void Connection::answer_expectation() {
  if (!http_1_1_ || input_.size() > 0 || body_received_ > 0) return;
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const iovec text{const_cast<char*>(kContinue.data()), kContinue.size()};
  // Nothing else is on its way to the client, so a full send buffer means a broken peer.
  if (stream_.write_some({&text, 1}).size != kContinue.size()) close();
}

// A body of known length: first what came with the head, then in place. False when more has to
// come.
bool Connection::receive_body() {
  for (;;) {
    if (body_received_ == framing_.length) {
      end_body();
      return true;
    }
    if (const Refusal refusal = body_.prepare(); refusal != Refusal::kNone) {
      refuse_body(refusal);
      return true;
    }
    const std::span<std::byte> room = body_.room();
    size_t size = std::min(input_.size(), room.size());
    if (size > 0) {
      std::memcpy(room.data(), input_.data().data(), size);
      input_.consume(size);
    } else {
      if (!stream_.may_read()) {
        wait_for_body();
        return false;
      }
      if (reads_left_ == 0) {
        pump_again();
        return false;
      }
      --reads_left_;
      const Stream::Transfer transfer = stream_.read_some(room);
      if (transfer.outcome == Outcome::kWait) {
        wait_for_body();
        return false;
      }
      if (transfer.outcome != Outcome::kDone) {
        read_failed(transfer.outcome);
        return true;
      }
      size = transfer.size;
      made_progress(size);
    }
    body_received_ += size;
    if (const Refusal refusal = body_.commit(size); refusal != Refusal::kNone) {
      refuse_body(refusal);
      return true;
    }
  }
}

// While other requests are served, each piece of a body that wakes this thread may take the
// processor from them: then the kernel gathers it. Otherwise it is received while it comes.
void Connection::wait_for_body() {
  const uint64_t left = framing_.length - body_received_;
  const bool gathers = left >= kLeastGathered && worker_->serves();
  stream_.gather(gathers ? std::min(left, kMostGathered) : 1);
}

bool Connection::parse_coded_body() {
  if (input_.size() == 0) return false;
  const size_t size = std::min<uint64_t>(input_.size(), framing_.length - body_received_);
  const Refusal refusal = body_.append({static_cast<const char*>(input_.data().data()), size});
  input_.consume(size);
  body_received_ += size;
  if (refusal != Refusal::kNone) {
    refuse_body(refusal);
  } else if (body_received_ == framing_.length) {
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
  received_ = body_.take();
  stream_.gather(1);
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
