// One thread's connections on an epoll instance. In the ordinary course a request costs one send,
// one recv and a share of an epoll_wait: replies are read into one buffer of the thread's and
// parsed where they lie, and epoll is told of a connection once.
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "load/http_reply.h"
#include "load/http_socket.h"
#include "load/load.h"
#include "load/request.h"

namespace supernova::bench {
namespace {

constexpr Clock::duration kTick = std::chrono::milliseconds(100);

struct Connection {
  Socket socket;
  HttpReply reply;
  bool waiting = false;  // a request is on its way
  bool listed = false;   // in the list of idle ones
  Clock::time_point due;
  size_t sent = 0;
  std::string own;  // the request where each is unique
};

class HttpWorker {
 public:
  HttpWorker(const Target& target, const std::string& request, const Plan& plan, const Pacer& pacer,
             int thread)
      : target_(target),
        request_(request),
        plan_(plan),
        pacer_(pacer),
        recorder_(pacer_),
        buffer_(256 * 1024),
        next_number_(static_cast<uint32_t>(plan.first_number + static_cast<uint32_t>(thread))) {}

  base::Status open(int connections);
  // The pacer's first moment is now, after connecting.
  Outcome run(const Pacer& pacer);

 private:
  base::Status connect(size_t index, Clock::duration patience);
  void start_idle(Clock::time_point now);
  void begin(size_t index, Clock::time_point due);
  void make_unique(Connection& connection);
  void send_more(size_t index);
  void receive(size_t index, Clock::time_point now);
  void end(size_t index, Clock::time_point now);
  void fail(size_t index, std::string_view message);
  void tick(Clock::time_point now);
  void finish_late(Clock::time_point now);
  int wait(epoll_event* events, int room);

  const Target& target_;
  const std::string& request_;
  const Plan& plan_;
  Pacer pacer_;
  Recorder recorder_;
  std::vector<char> buffer_;
  Socket epoll_;
  std::vector<Connection> connections_;
  std::vector<size_t> idle_;
  std::vector<size_t> broken_;  // to be connected again at the next tick
  size_t in_flight_ = 0;
  uint32_t next_number_;
  Clock::time_point next_tick_ = Clock::now() + kTick;
  bool precise_ = true;  // epoll_pwait2 is there
};

base::Status HttpWorker::open(int connections) {
  epoll_ = Socket(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.open()) return absl::ResourceExhaustedError(std::strerror(errno));
  connections_.resize(static_cast<size_t>(connections));
  for (size_t i = 0; i < connections_.size(); ++i) SN_TRY(connect(i, seconds(5)));
  // Waits of an open loop are to end on time, not 50 us later.
  prctl(PR_SET_TIMERSLACK, 1UL);
  return {};
}

base::Status HttpWorker::connect(size_t index, Clock::duration patience) {
  Connection& connection = connections_[index];
  SN_ASSIGN(connection.socket, connect_to(target_, patience));
  connection.reply.reset();
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  if (epoll_ctl(epoll_.descriptor(), EPOLL_CTL_ADD, connection.socket.descriptor(), &event) != 0) {
    return absl::ResourceExhaustedError(std::strerror(errno));
  }
  idle_.push_back(index);
  connection.listed = true;
  return {};
}

// Gives requests that are due to idle connections.
void HttpWorker::start_idle(Clock::time_point now) {
  while (!idle_.empty()) {
    const auto due = pacer_.take(now);
    if (!due) return;
    const size_t index = idle_.back();
    idle_.pop_back();
    connections_[index].listed = false;
    begin(index, *due);
  }
}

void HttpWorker::begin(size_t index, Clock::time_point due) {
  Connection& connection = connections_[index];
  connection.waiting = true;
  connection.due = due;
  connection.sent = 0;
  if (plan_.unique) make_unique(connection);
  ++in_flight_;
  send_more(index);
}

void HttpWorker::make_unique(Connection& connection) {
  connection.own = request_;
  const auto number = static_cast<float>(next_number_);
  next_number_ += static_cast<uint32_t>(plan_.threads);
  if (request_.size() < sizeof(number)) return;
  std::memcpy(connection.own.data() + request_.size() - sizeof(number), &number, sizeof(number));
}

void HttpWorker::send_more(size_t index) {
  Connection& connection = connections_[index];
  const bool blocked_before = connection.sent > 0;
  const std::string& request = plan_.unique ? connection.own : request_;
  while (connection.sent < request.size()) {
    const ssize_t sent = send(connection.socket.descriptor(), request.data() + connection.sent,
                              request.size() - connection.sent, MSG_NOSIGNAL);
    if (sent >= 0) {
      connection.sent += static_cast<size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail(index, base::str_cat("send: ", std::strerror(errno)));
    break;
  }
  const bool blocked = connection.sent < request_.size();
  if (!blocked && !blocked_before) return;
  epoll_event event{};
  event.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  epoll_ctl(epoll_.descriptor(), EPOLL_CTL_MOD, connection.socket.descriptor(), &event);
}

void HttpWorker::receive(size_t index, Clock::time_point now) {
  Connection& connection = connections_[index];
  while (true) {
    const ssize_t got = recv(connection.socket.descriptor(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      return fail(index, base::str_cat("recv: ", std::strerror(errno)));
    }
    if (got == 0) {
      const base::Status closed = connection.reply.closed();
      if (!closed.ok()) return fail(index, base::message(closed));
      return end(index, now);
    }
    if (!connection.waiting) return fail(index, "the server sent what nobody asked for");
    const size_t size = static_cast<size_t>(got);
    const auto taken = connection.reply.take({buffer_.data(), size});
    if (!taken.ok()) return fail(index, base::message(taken.status()));
    if (connection.reply.done()) {
      if (*taken < size) return fail(index, "the server sent more than the reply");
      return end(index, now);
    }
    // Less than asked for: the socket is empty, and another recv would only say so.
    if (size < buffer_.size()) return;
  }
}

// The reply is complete.
void HttpWorker::end(size_t index, Clock::time_point now) {
  Connection& connection = connections_[index];
  if (connection.reply.status() / 100 == 2) {
    recorder_.success(connection.due, now);
  } else {
    recorder_.refusal(connection.due, now,
                      base::str_cat("HTTP ", connection.reply.status(), ": ",
                                    error_text(connection.reply.body())));
  }
  --in_flight_;
  connection.waiting = false;
  const bool keep = connection.reply.keep_alive() && connection.sent == request_.size();
  connection.reply.reset();
  if (keep) {
    idle_.push_back(index);
    connection.listed = true;
  } else {
    connection.socket = Socket();
    broken_.push_back(index);
    next_tick_ = Clock::now();  // a new connection at once
  }
}

// The request, if one is on its way, has failed, and so has the connection.
void HttpWorker::fail(size_t index, std::string_view message) {
  Connection& connection = connections_[index];
  if (connection.waiting) {
    recorder_.failure(connection.due, Clock::now(), message);
    connection.waiting = false;
    --in_flight_;
  }
  if (connection.listed) {
    idle_.erase(std::find(idle_.begin(), idle_.end(), index));
    connection.listed = false;
  }
  connection.socket = Socket();
  broken_.push_back(index);
}

// Ten times a second: connects again, gives up on what takes too long.
void HttpWorker::tick(Clock::time_point now) {
  next_tick_ = now + kTick;
  std::vector<size_t> broken;
  broken.swap(broken_);
  for (const size_t index : broken) {
    const base::Status status = connect(index, seconds(1));
    if (status.ok()) continue;
    if (!pacer_.open_loop()) recorder_.failure(now, now, base::message(status));
    connections_[index].socket = Socket();
    broken_.push_back(index);
  }
  if (in_flight_ == 0) return;
  const std::string message =
      base::str_cat("no reply within ", std::chrono::duration<double>(plan_.timeout).count(), " s");
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i].waiting && now - connections_[i].due > plan_.timeout) fail(i, message);
  }
}

int HttpWorker::wait(epoll_event* events, int room) {
  Clock::time_point until = next_tick_;
  if (!idle_.empty() && !pacer_.over(Clock::now())) until = std::min(until, pacer_.due());
  const auto left = std::max<int64_t>(0, std::chrono::nanoseconds(until - Clock::now()).count());
  if (precise_) {
    const timespec timeout{left / 1000000000, left % 1000000000};
    const int ready = epoll_pwait2(epoll_.descriptor(), events, room, &timeout, nullptr);
    if (ready >= 0 || errno != ENOSYS) return ready;
    precise_ = false;
  }
  // Whole milliseconds rounded down: the rest is spun away.
  return epoll_wait(epoll_.descriptor(), events, room, static_cast<int>(left / 1000000));
}

// What is still due or on its way when the time to finish is over.
void HttpWorker::finish_late(Clock::time_point now) {
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i].waiting) fail(i, "no reply before the end");
  }
  if (!pacer_.open_loop()) return;
  while (const auto due = pacer_.take(pacer_.end())) {
    recorder_.failure(*due, now, "not sent in time: every connection was busy");
  }
}

Outcome HttpWorker::run(const Pacer& pacer) {
  pacer_ = pacer;
  recorder_ = Recorder(pacer_);
  constexpr int kRoom = 256;
  epoll_event events[kRoom];
  const Clock::time_point last = pacer_.end() + plan_.timeout;
  Clock::time_point now = Clock::now();
  while (now < last && !(pacer_.over(now) && in_flight_ == 0)) {
    start_idle(now);
    const int ready = wait(events, kRoom);
    now = Clock::now();
    for (int i = 0; i < ready; ++i) {
      const size_t index = events[i].data.u64;
      if (!connections_[index].socket.open()) continue;
      if ((events[i].events & EPOLLOUT) != 0) send_more(index);
      if ((events[i].events & ~EPOLLOUT) != 0 && connections_[index].socket.open()) {
        // Replies of one batch are not all there at its first moment.
        receive(index, i == 0 ? now : Clock::now());
      }
    }
    now = Clock::now();
    if (now >= next_tick_) tick(now);
    // The server has gone, and what is still due will not be answered.
    if (now >= pacer_.end() && broken_.size() == connections_.size()) break;
  }
  finish_late(now);
  return recorder_.finish();
}

}  // namespace

base::Result<Outcome> load_http(const Target& target, const std::string& request,
                                const Plan& plan) {
  return on_threads(plan, [&](int thread, int connections) -> base::Result<Outcome> {
    const double share = static_cast<double>(connections) / plan.connections;
    const auto pacer = [&] {
      return Pacer(plan, Clock::now(), share, static_cast<uint64_t>(thread));
    };
    HttpWorker worker(target, request, plan, pacer(), thread);
    SN_TRY(worker.open(connections));
    return worker.run(pacer());
  });
}

}  // namespace supernova::bench
