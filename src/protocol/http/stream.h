// A client's socket, plain or with TLS on it. On a plain socket each function is the socket's own;
// on one with TLS, reads decrypt straight into the given memory and small pieces are written
// together as one record. (Not Asio's TLS stream: that holds some 70 KB of buffers per connection.)
// One thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <span>
#include <string>

#include "protocol/tls/session.h"

namespace supernova::protocol::http {

class Stream {
 public:
  using ErrorCode = boost::system::error_code;
  enum class Sight { kNothing, kSomething, kEnd };

  explicit Stream(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  // Before the first byte is read. False when there is no memory.
  bool start_tls(tls::ContextPtr context);
  bool is_tls() const { return session_ != nullptr; }
  const tls::Session& session() const { return *session_; }
  boost::asio::ip::tcp::socket& socket() { return socket_; }

  // Calls handler(ErrorCode); connection_refused stands for a TLS failure that session().error()
  // explains, and operation_not_supported for a client that speaks plain HTTP: the stream is then
  // plain, with nothing read from it.
  template <typename Handler>
  void async_handshake(Handler handler);
  template <typename Handler>
  void async_read_some(boost::asio::mutable_buffer buffer, Handler handler);
  // Never blocks: would_block means async_wait_write() first.
  size_t write_some(std::span<const boost::asio::const_buffer> buffers, ErrorCode& error);
  template <typename Handler>
  void async_wait_write(Handler handler) {
    socket_.async_wait(to_wait(write_wants_read_), std::move(handler));
  }
  // Whether the client has sent something or gone away, without reading it.
  Sight peek();

  void cancel();
  void shutdown_send(ErrorCode& error);
  void close();

 private:
  using Wait = boost::asio::ip::tcp::socket::wait_type;
  static Wait to_wait(bool read) {
    return read ? boost::asio::ip::tcp::socket::wait_read
                : boost::asio::ip::tcp::socket::wait_write;
  }
  // would_block when there is nothing to do but wait.
  ErrorCode handshake_step();
  size_t read_step(boost::asio::mutable_buffer buffer, ErrorCode& error);
  bool speaks_plain_http();
  template <typename Handler>
  void wait_and_read(boost::asio::mutable_buffer buffer, Handler handler);

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<tls::Session> session_;
  bool first_byte_seen_ = false;
  bool read_wants_write_ = false;
  bool write_wants_read_ = false;
  // What was begun before the last cancel() or close() must not touch its memory any more, nor the
  // descriptor, which may be another connection's by then.
  uint64_t cancels_ = 0;
};

template <typename Handler>
void Stream::async_handshake(Handler handler) {
  socket_.async_wait(
      to_wait(!read_wants_write_),
      [this, handler = std::move(handler), cancels = cancels_](const ErrorCode& failed) mutable {
        ErrorCode error = failed;
        if (!error && cancels != cancels_) error = boost::asio::error::operation_aborted;
        if (!error) error = handshake_step();
        if (error == boost::asio::error::would_block) return async_handshake(std::move(handler));
        handler(error);
      });
}

template <typename Handler>
void Stream::async_read_some(boost::asio::mutable_buffer buffer, Handler handler) {
  if (!session_) return socket_.async_read_some(buffer, std::move(handler));
  ErrorCode error;
  const size_t size = read_step(buffer, error);
  if (error == boost::asio::error::would_block) return wait_and_read(buffer, std::move(handler));
  // Not from here: the caller would call itself.
  boost::asio::post(socket_.get_executor(), [handler = std::move(handler), error, size]() mutable {
    handler(error, size);
  });
}

template <typename Handler>
void Stream::wait_and_read(boost::asio::mutable_buffer buffer, Handler handler) {
  socket_.async_wait(to_wait(!read_wants_write_),
                     [this, buffer, handler = std::move(handler),
                      cancels = cancels_](const ErrorCode& failed) mutable {
                       ErrorCode error = failed;
                       size_t size = 0;
                       if (!error && cancels != cancels_)
                         error = boost::asio::error::operation_aborted;
                       if (!error) size = read_step(buffer, error);
                       if (error == boost::asio::error::would_block)
                         return wait_and_read(buffer, std::move(handler));
                       handler(error, size);
                     });
}

}  // namespace supernova::protocol::http
