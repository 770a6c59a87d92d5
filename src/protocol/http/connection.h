// One client connection: reads a request, hands it to the handler, writes the response, and only
// then looks at the next request, so that pipelined responses keep their order. Lives on its
// worker's thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/http/request_parser.h"
#include "protocol/http/worker.h"

namespace supernova::protocol::http {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Worker> worker, boost::asio::ip::tcp::socket socket);

  void start();
  void take_response(HttpResponse response);
  void look_at_time(std::chrono::steady_clock::time_point now);
  void close_if_idle();
  void close();

 private:
  friend class Reply;
  using ErrorCode = boost::system::error_code;
  enum class State { kHead, kChunks, kBody, kHandling, kWriting, kLingering, kClosed };

  void pump();
  void read_some();
  void read_failed(const ErrorCode& error);
  void next_request();
  bool parse_head();
  bool parse_chunks();
  void begin_body();
  void begin_sized_body(uint64_t length);
  void read_body();
  bool reserve_body();
  void answer_expectation();
  void refuse_body(RequestParser::Refusal refusal);
  void fail(int status, std::string_view message);
  void dispatch();
  void watch();
  void look_for_disconnect();
  void write_response(HttpResponse response);
  void write_more();
  void written();
  void linger();
  void discard();
  void set_deadline(std::chrono::steady_clock::duration from_now);

  const std::shared_ptr<Worker> worker_;
  boost::asio::ip::tcp::socket socket_;
  State state_ = State::kHead;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  // Operations started before the last change of course are ignored when they return.
  uint64_t epoch_ = 0;

  boost::beast::flat_buffer input_;
  std::optional<RequestParser> parser_;
  size_t head_bytes_ = 0;
  tensor::Buffer body_;  // its size is the capacity so far
  size_t body_length_ = 0;
  size_t body_received_ = 0;
  size_t body_offset_ = 0;  // the byte that is aligned

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
  HttpResponse response_;
  std::string head_;
  std::vector<boost::asio::const_buffer> unwritten_;
  size_t next_unwritten_ = 0;
};

}  // namespace supernova::protocol::http
