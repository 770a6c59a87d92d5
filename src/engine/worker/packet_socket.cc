#include "engine/worker/packet_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

#include "engine/worker/shared_memory.h"

namespace supernova::engine::worker {
namespace {

constexpr size_t kMaxInline = size_t{32} << 10U;

struct Header {
  uint32_t type;
  uint32_t body_is_file;
  uint64_t id;
  uint64_t body_size;
};

// The files that came with a message.
std::vector<base::File> take_files(msghdr& message) {
  std::vector<base::File> files;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int file = -1;
      std::memcpy(&file, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      files.emplace_back(file);
    }
  }
  return files;
}

base::Result<std::string> read_body(const base::File& file, uint64_t size) {
  struct stat info {};
  if (size > PacketSocket::kMaxBody || ::fstat(file.get(), &info) != 0 ||
      static_cast<uint64_t>(info.st_size) != size) {
    return absl::InternalError("a message's body is not of the size that it says");
  }
  std::string body(size, '\0');
  SN_ASSIGN(const size_t got,
            base::read_at(file.get(), 0, std::as_writable_bytes(std::span(body.data(), size))));
  if (got != size) return absl::InternalError("a message's body ends early");
  return body;
}

}  // namespace

base::Result<std::pair<PacketSocket, PacketSocket>> PacketSocket::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return base::system_error("no socket for a worker");
  }
  return std::pair(PacketSocket(base::File(ends[0])), PacketSocket(base::File(ends[1])));
}

base::Status PacketSocket::limit_send_time(std::chrono::milliseconds limit) {
  const timeval time{limit.count() / 1000, limit.count() % 1000 * 1000};
  if (::setsockopt(file_.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0) {
    return base::system_error("a worker's socket");
  }
  return {};
}

base::Status PacketSocket::send(uint32_t type, uint64_t id, std::string_view body,
                                const std::vector<int>& files) {
  if (files.size() > kMaxFiles || body.size() > kMaxBody) {
    return absl::ResourceExhaustedError("a message between server and worker is too large");
  }
  Header header{type, body.size() > kMaxInline, id, body.size()};
  std::vector<int> sent = files;
  base::File body_file;
  if (header.body_is_file != 0) {
    SN_ASSIGN(body_file,
              sealed_copy("supernova-message", std::as_bytes(std::span(body.data(), body.size()))));
    sent.push_back(body_file.get());
    body = {};
  }
  iovec parts[] = {{&header, sizeof(header)}, {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE((kMaxFiles + 1) * sizeof(int))] = {};
  if (!sent.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sent.size() * sizeof(int));
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sent.size() * sizeof(int));
    std::memcpy(CMSG_DATA(rights), sent.data(), sent.size() * sizeof(int));
  }
  while (::sendmsg(file_.get(), &message, MSG_NOSIGNAL) < 0) {
    if (errno == EAGAIN) return absl::DeadlineExceededError("the other end reads nothing");
    if (errno != EINTR) return base::system_error("a message can't be sent");
  }
  return {};
}

base::Result<Message> PacketSocket::receive(bool wait) {
  Header header{};
  char body[kMaxInline];
  iovec parts[] = {{&header, sizeof(header)}, {body, sizeof(body)}};
  alignas(cmsghdr) char control[CMSG_SPACE((kMaxFiles + 1) * sizeof(int))];
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got = 0;
  do {
    got = ::recvmsg(file_.get(), &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return absl::NotFoundError("no message");
  }
  if (got < 0 && errno == ECONNRESET) return absl::OutOfRangeError("the other end is gone");
  if (got < 0) return base::system_error("no message can be received");
  if (got == 0) return absl::OutOfRangeError("the other end is gone");
  Message result{header.type, header.id, {}, take_files(message)};
  const size_t size = static_cast<size_t>(got) - std::min<size_t>(got, sizeof(header));
  if (static_cast<size_t>(got) < sizeof(header) ||
      (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::InternalError("a message is cut");
  }
  if (header.body_is_file == 0) {
    if (size != header.body_size) return absl::InternalError("a message has another size");
    result.body.assign(body, size);
    return result;
  }
  if (result.files.empty()) return absl::InternalError("a message comes without its body");
  const base::File file = std::move(result.files.back());
  result.files.pop_back();
  SN_ASSIGN(result.body, read_body(file, header.body_size));
  return result;
}

}  // namespace supernova::engine::worker
