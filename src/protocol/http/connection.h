// One client connection: reads a request, hands it to the handler, writes the response, and only
// then looks at the next request, so that pipelined responses keep their order. Lives on its
// worker's thread.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "protocol/http/outgoing_response.h"
#include "protocol/http/request_body.h"
#include "protocol/http/request_parser.h"
#include "protocol/http/stream.h"
#include "protocol/http/worker.h"

namespace supernova::protocol::http {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Worker> worker, Accepted accepted);

  void start();
  void take_response(HttpResponse response);
  void look_at_time(std::chrono::steady_clock::time_point now);
  void close_if_idle();
  void close();
  bool one_more() const { return one_more_; }

 private:
  friend class Reply;
  using ErrorCode = boost::system::error_code;
  using Clock = std::chrono::steady_clock;
  using Refusal = RequestBody::Refusal;
  enum class State {
    kHandshake,
    kHead,
    kChunks,
    kCodedBody,  // of known length, decoded as it comes
    kBody,       // of known length, received in place
    kHandling,
    kCoding,  // the response is being compressed
    kWriting,
    kLingering,
    kClosed
  };

  // Life: connection.cc.
  void shake_hands(tls::ContextPtr context);
  void hands_shaken(const ErrorCode& error);
  void next_request();
  void pump();
  void dispatch();
  void watch();
  void look_for_disconnect();
  void fall_asleep();
  void wait_for_input();
  bool is_between_requests() const { return state_ == State::kHead && !parser_; }
  void set_deadline(Clock::duration from_now) { deadline_ = Clock::now() + from_now; }
  void begin_transfer();
  void made_progress(size_t bytes);

  // Requests: connection_read.cc.
  void read_some();
  void read_failed(const ErrorCode& error);
  bool parse_head();
  bool parse_chunks();
  bool parse_coded_body();
  void begin_body();
  void begin_chunked_body(Coding coding);
  void begin_sized_body(uint64_t length, Coding coding);
  void read_body();
  void end_body();
  void answer_expectation();
  void refuse_body(Refusal refusal);

  // Responses: connection_write.cc.
  void fail(int status, std::string_view message);
  void fail(HttpResponse response);
  void write_response(HttpResponse response);
  void code_response();
  void write_more();
  void written();
  void linger();
  void discard();

  const std::shared_ptr<Worker> worker_;
  Stream stream_;
  Peer peer_;
  tls::ContextPtr tls_;  // until the handshake begins
  const bool one_more_;
  State state_ = State::kHead;
  Clock::time_point deadline_ = Clock::time_point::max();
  // Operations started before the last change of course are ignored when they return.
  uint64_t epoch_ = 0;
  bool asleep_ = false;  // waits without an input buffer

  // Empty from close() on, so that no other thread meets the worker's pool.
  boost::beast::basic_flat_buffer<PoolAllocator<char>> input_;
  RequestBody body_;
  std::optional<RequestParser> parser_;
  size_t head_bytes_ = 0;
  uint64_t body_length_ = 0;  // on the wire
  uint64_t body_received_ = 0;
  Clock::time_point transfer_began_{};
  uint64_t transferred_ = 0;

  std::shared_ptr<tensor::Cancellation> cancellation_;
  bool in_handler_ = false;
  std::optional<HttpResponse> early_response_;  // given before handle() returned
  int sweeps_handling_ = 0;
  bool watching_ = false;
  bool may_watch_ = false;

  bool keep_alive_ = true;
  bool http_1_1_ = true;
  bool is_head_ = false;
  bool linger_ = false;
  Coding response_coding_ = Coding::kIdentity;
  OutgoingResponse outgoing_;
};

}  // namespace supernova::protocol::http
