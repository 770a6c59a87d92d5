#include "protocol/http/stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace supernova::protocol::http {
namespace {

using Session = tls::Session;

// What one record carries. Pieces are put together up to it, larger ones go on from where they are.
constexpr size_t kRecordBytes = 16 * 1024;
// More pieces than the kernel takes at once wait for the next call.
constexpr size_t kMaxPieces = 64;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

void Socket::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void Stream::note(uint32_t events) {
  // TLS may want to write in order to read, and the reverse.
  if (session_ != nullptr || (events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) may_read_ = true;
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ended_ = true;
}

bool Stream::start_tls(tls::ContextPtr context) {
  session_ = Session::accept(std::move(context), socket_.descriptor());
  return session_ != nullptr;
}

// A TLS connection begins with byte 22, a plain HTTP request with a letter.
bool Stream::speaks_plain_http() {
  char byte = 0;
  if (::recv(socket_.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) return false;
  first_byte_seen_ = true;
  return byte >= 'A' && byte <= 'Z';
}

Stream::Outcome Stream::handshake() {
  if (!first_byte_seen_ && speaks_plain_http()) {
    session_.reset();
    return Outcome::kPlain;
  }
  const Outcome outcome = from_tls(session_->handshake());
  return outcome == Outcome::kEnd ? Outcome::kBroken : outcome;
}

Stream::Outcome Stream::from_tls(Session::Outcome outcome) {
  wants_output_ = outcome == Session::Outcome::kWantsWrite;
  switch (outcome) {
    case Session::Outcome::kDone:
      return Outcome::kDone;
    case Session::Outcome::kWantsRead:
    case Session::Outcome::kWantsWrite:
      return Outcome::kWait;
    case Session::Outcome::kClosed:
      return Outcome::kEnd;
    default:
      return Outcome::kBroken;
  }
}

Stream::Transfer Stream::read_some(std::span<std::byte> room) {
  if (session_ != nullptr) return read_tls(room);
  ssize_t got = 0;
  do {
    got = ::recv(socket_.descriptor(), room.data(), room.size(), 0);
  } while (got < 0 && errno == EINTR);
  wants_output_ = false;
  if (got > 0) {
    // Less than there was room for is all there was; what comes from now on is told.
    may_read_ = ended_ || static_cast<size_t>(got) == room.size();
    return {Outcome::kDone, static_cast<size_t>(got)};
  }
  if (got == 0) return {Outcome::kEnd, 0};
  if (!would_block()) return {Outcome::kBroken, 0};
  may_read_ = false;
  return {Outcome::kWait, 0};
}

void Stream::gather(size_t bytes) {
  const int wanted = static_cast<int>(bytes);
  if (wanted == gathered_ || session_ != nullptr) return;
  // The kernel makes room for as many, and where they are there already, tells so at once.
  if (::setsockopt(socket_.descriptor(), SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof(wanted)) == 0) {
    gathered_ = wanted;
  }
}

Stream::Transfer Stream::read_tls(std::span<std::byte> room) {
  const auto [result, size] = session_->read(room.data(), room.size());
  const Outcome outcome = from_tls(result);
  if (outcome == Outcome::kWait) may_read_ = false;
  return {outcome, size};
}

Stream::Transfer Stream::write_some(std::span<const iovec> pieces) {
  if (session_ != nullptr) return write_tls(pieces);
  ssize_t sent = 0;
  do {
    if (pieces.size() == 1) {
      sent = ::send(socket_.descriptor(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = std::min(pieces.size(), kMaxPieces);
      sent = ::sendmsg(socket_.descriptor(), &message, MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {Outcome::kDone, static_cast<size_t>(sent)};
  wants_output_ = would_block();
  return {wants_output_ ? Outcome::kWait : Outcome::kBroken, 0};
}

Stream::Transfer Stream::write_tls(std::span<const iovec> pieces) {
  // After kWait the same pieces come again, and with them the same record.
  static thread_local char record[kRecordBytes];
  const void* data = pieces.front().iov_base;
  size_t size = pieces.front().iov_len;
  if (size < kRecordBytes && pieces.size() > 1) {
    size = 0;
    for (const iovec& piece : pieces) {
      const size_t part = std::min(piece.iov_len, kRecordBytes - size);
      std::memcpy(record + size, piece.iov_base, part);
      size += part;
    }
    data = record;
  }
  const auto [result, sent] = session_->write(data, size);
  const Outcome outcome = from_tls(result);
  return {outcome == Outcome::kEnd ? Outcome::kBroken : outcome, sent};
}

Stream::Sight Stream::peek() const {
  if (session_ != nullptr) {
    const Session::Outcome outcome = session_->peek();
    if (outcome == Session::Outcome::kDone) return Sight::kSomething;
    const bool waits =
        outcome == Session::Outcome::kWantsRead || outcome == Session::Outcome::kWantsWrite;
    return waits ? Sight::kNothing : Sight::kEnd;
  }
  char byte = 0;
  const ssize_t got = ::recv(socket_.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return Sight::kSomething;
  return got < 0 && (would_block() || errno == EINTR) ? Sight::kNothing : Sight::kEnd;
}

Stream::Outcome Stream::discard() {
  char bytes[4096];
  const ssize_t got = ::recv(socket_.descriptor(), bytes, sizeof(bytes), 0);
  if (got > 0) return Outcome::kDone;
  if (got == 0) return Outcome::kEnd;
  return would_block() || errno == EINTR ? Outcome::kWait : Outcome::kBroken;
}

bool Stream::shutdown_send() {
  if (session_ != nullptr) session_->close_notify();
  return ::shutdown(socket_.descriptor(), SHUT_WR) == 0;
}

void Stream::close() {
  if (session_ != nullptr) session_->close_notify();
  session_.reset();
  if (!socket_.is_open()) return;
  ::shutdown(socket_.descriptor(), SHUT_RDWR);
  socket_.close();
}

}  // namespace supernova::protocol::http
