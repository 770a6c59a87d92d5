// A client's socket, plain or with TLS on it; nothing here ever blocks. On a plain socket each
// function is one call of the system; on one with TLS, reads decrypt straight into the given memory
// and small pieces are written together as one record. One thread.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <span>
#include <utility>

#include "protocol/tls/session.h"

namespace supernova::protocol::http {

// Owns a descriptor; -1 = none.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket() { close(); }

  int descriptor() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }
  void close();

 private:
  int descriptor_ = -1;
};

class Stream {
 public:
  enum class Outcome {
    kDone,
    kWait,    // nothing can be done before the next event
    kEnd,     // the client says no more
    kBroken,  // see session().error() where there is TLS
    kPlain,   // of a handshake: the client speaks plain HTTP, and so does the stream from now on
  };
  struct Transfer {
    Outcome outcome = Outcome::kBroken;
    size_t size = 0;
  };
  enum class Sight { kNothing, kSomething, kEnd };

  explicit Stream(Socket socket) : socket_(std::move(socket)) {}

  int descriptor() const { return socket_.descriptor(); }
  // What the event loop says; the reads and writes that wait are worth another try then.
  void note(uint32_t events);
  // Whether a read is worth its call.
  bool may_read() const { return may_read_; }
  // Whether what came back with kWait needs room for output.
  bool wants_output() const { return wants_output_; }

  // Before the first byte is read. False when there is no memory.
  bool start_tls(tls::ContextPtr context);
  const tls::Session& session() const { return *session_; }
  Outcome handshake();

  Transfer read_some(std::span<std::byte> room);
  // The event loop is to hear of input when so many bytes are there, or when the other side closes
  // or the kernel's memory is short. 1 = of any, as at first. Reads are not bound by it. Plain
  // sockets only: one with TLS hears of everything.
  void gather(size_t bytes);
  Transfer write_some(std::span<const iovec> pieces);
  // Whether the client has sent something or gone away, without reading it.
  Sight peek() const;
  // Reads what is there, of whatever kind, and drops it.
  Outcome discard();

  bool shutdown_send();
  void close();

 private:
  bool speaks_plain_http();
  Outcome from_tls(tls::Session::Outcome outcome);
  Transfer read_tls(std::span<std::byte> room);
  Transfer write_tls(std::span<const iovec> pieces);

  Socket socket_;
  std::unique_ptr<tls::Session> session_;
  int gathered_ = 1;
  bool first_byte_seen_ = false;
  bool may_read_ = false;
  bool wants_output_ = false;
  bool ended_ = false;  // the other side has closed; that is said once, and must be read
};

}  // namespace supernova::protocol::http
