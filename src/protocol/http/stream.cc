#include "protocol/http/stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace supernova::protocol::http {
namespace {

namespace net = boost::asio;
using Outcome = tls::Session::Outcome;

// What one record carries. Pieces are put together up to it, larger ones go on from where they are.
constexpr size_t kRecordBytes = 16 * 1024;

}  // namespace

bool Stream::start_tls(tls::ContextPtr context) {
  session_ = tls::Session::accept(std::move(context), socket_.native_handle());
  return session_ != nullptr;
}

// A TLS connection begins with byte 22, a plain HTTP request with a letter.
bool Stream::speaks_plain_http() {
  char byte = 0;
  if (::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) return false;
  first_byte_seen_ = true;
  return byte >= 'A' && byte <= 'Z';
}

Stream::ErrorCode Stream::handshake_step() {
  if (!first_byte_seen_ && speaks_plain_http()) {
    session_.reset();
    return net::error::operation_not_supported;
  }
  const Outcome outcome = session_->handshake();
  read_wants_write_ = outcome == Outcome::kWantsWrite;
  if (outcome == Outcome::kDone) return {};
  if (outcome == Outcome::kWantsRead || read_wants_write_) return net::error::would_block;
  return net::error::connection_refused;
}

size_t Stream::read_step(net::mutable_buffer buffer, ErrorCode& error) {
  const auto [outcome, size] = session_->read(buffer.data(), buffer.size());
  read_wants_write_ = outcome == Outcome::kWantsWrite;
  if (outcome == Outcome::kDone) return size;
  if (outcome == Outcome::kWantsRead || read_wants_write_) {
    error = net::error::would_block;
  } else if (outcome == Outcome::kClosed) {
    error = net::error::eof;
  } else {
    error = net::error::connection_reset;
  }
  return 0;
}

size_t Stream::write_some(std::span<const net::const_buffer> buffers, ErrorCode& error) {
  if (!session_) return socket_.write_some(buffers, error);
  // After would_block the same buffers come again, and with them the same record.
  static thread_local char record[kRecordBytes];
  const void* data = buffers.front().data();
  size_t size = buffers.front().size();
  if (size < kRecordBytes && buffers.size() > 1) {
    size = 0;
    for (const net::const_buffer& buffer : buffers) {
      const size_t part = std::min(buffer.size(), kRecordBytes - size);
      std::memcpy(record + size, buffer.data(), part);
      size += part;
    }
    data = record;
  }
  const auto [outcome, sent] = session_->write(data, size);
  write_wants_read_ = outcome == Outcome::kWantsRead;
  if (outcome == Outcome::kDone) return sent;
  error = write_wants_read_ || outcome == Outcome::kWantsWrite ? net::error::would_block
                                                               : net::error::connection_reset;
  return 0;
}

Stream::Sight Stream::peek() {
  if (session_) {
    const Outcome outcome = session_->peek();
    if (outcome == Outcome::kDone) return Sight::kSomething;
    const bool open = outcome == Outcome::kWantsRead || outcome == Outcome::kWantsWrite;
    return open ? Sight::kNothing : Sight::kEnd;
  }
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return Sight::kSomething;
  const bool open = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return open ? Sight::kNothing : Sight::kEnd;
}

void Stream::cancel() {
  ++cancels_;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

void Stream::shutdown_send(ErrorCode& error) {
  if (session_) session_->close_notify();
  socket_.shutdown(net::ip::tcp::socket::shutdown_send, error);
}

void Stream::close() {
  ++cancels_;
  if (session_) session_->close_notify();
  ErrorCode ignored;
  socket_.shutdown(net::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace supernova::protocol::http
