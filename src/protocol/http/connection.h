// One client connection: reads a request, hands it to the handler, writes the response, and only
// then looks at the next request, so that pipelined responses keep their order. It goes on as far
// as it can, and waits for the next event. Lives on its worker's thread.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "protocol/http/event_loop.h"
#include "protocol/http/outgoing_response.h"
#include "protocol/http/request_body.h"
#include "protocol/http/request_parser.h"
#include "protocol/http/stream.h"
#include "protocol/http/worker.h"

namespace supernova::protocol::http {

class Connection final : public EventLoop::Watcher,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Worker> worker, Accepted accepted);

  void start();
  void ready(uint32_t events) override;
  void take_response(HttpResponse response);
  void look_at_time(std::chrono::steady_clock::time_point now);
  void close_if_idle();
  void close();
  bool one_more() const { return one_more_; }

 private:
  friend class Reply;
  using ErrorCode = boost::system::error_code;
  using Clock = EventLoop::Clock;
  using Refusal = RequestBody::Refusal;
  using Outcome = Stream::Outcome;
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

  // What a head says about what comes with it, and how its answer goes out.
  struct Framing {
    bool keep_alive = true;
    bool http_1_1 = true;
    bool is_head = false;  // HEAD
    bool chunked = false;
    bool expects_continue = false;
    Coding coding = Coding::kIdentity;
    Coding response_coding = Coding::kIdentity;
    uint64_t length = 0;
    size_t aligned_offset = 0;
  };

  // Life: connection.cc.
  void shake_hands();
  void hands_shaken();
  void next_request();
  void pump();
  void pump_again();
  void wait();
  void dispatch();
  void look_for_disconnect();
  void forget_head();
  bool is_between_requests() const { return state_ == State::kHead && !parser_; }
  Clock::time_point now() const { return worker_->loop().now(); }
  void set_deadline(Clock::duration from_now) { deadline_ = now() + from_now; }
  void begin_transfer();
  void made_progress(size_t bytes);

  // Requests: connection_read.cc.
  bool read_some();
  void read_failed(Outcome outcome);
  bool parse_head();
  bool recall_head();
  bool take_head();
  bool parse_chunks();
  bool parse_coded_body();
  void begin_request();
  void begin_chunked_body();
  void begin_sized_body();
  bool receive_body();
  void wait_for_body();
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
  std::shared_ptr<const Peer> peer_;
  tls::ContextPtr tls_;  // until the handshake begins
  const bool one_more_;
  State state_ = State::kHead;
  Clock::time_point deadline_ = Clock::time_point::max();
  // Calls asked for before the last change of course are ignored when they come.
  uint64_t epoch_ = 0;
  int reads_left_ = 0;  // before the thread's other connections have their turn
  bool watches_output_ = false;

  // Has no memory while nothing is in it that waits for more. Empty from close() on, so that no
  // other thread meets the worker's pool.
  boost::beast::basic_flat_buffer<PoolAllocator<char>> input_;
  RequestBody body_;
  std::optional<RequestParser> parser_;  // while a head or chunks are being read
  size_t head_bytes_ = 0;
  // The latest head, and the bytes it was read from where another one that is the same may come.
  std::shared_ptr<const HttpHead> head_;
  Framing framing_;
  std::string head_text_;
  tensor::Buffer received_;     // the body, once it is whole
  uint64_t body_received_ = 0;  // of framing_.length
  Clock::time_point transfer_began_{};
  uint64_t transferred_ = 0;

  std::shared_ptr<tensor::Cancellation> cancellation_;
  bool in_handler_ = false;
  int sweeps_handling_ = 0;
  bool may_look_ = false;  // for a disconnect

  // Of the request in progress.
  bool keep_alive_ = true;
  bool http_1_1_ = true;
  bool is_head_ = false;
  Coding response_coding_ = Coding::kIdentity;
  bool linger_ = false;
  OutgoingResponse outgoing_;
};

}  // namespace supernova::protocol::http
