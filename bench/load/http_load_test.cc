// The load generator against small servers of this test's own that misbehave on purpose.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "load/http_socket.h"
#include "load/load.h"

namespace supernova::bench {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers the n-th request (from 0) of all with `answer(n)`; closes the connection on "".
class FakeServer {
 public:
  using Answer = std::function<std::string(int)>;

  // `see` gets each request as it came.
  explicit FakeServer(Answer answer, std::function<void(std::string_view)> see = {})
      : answer_(std::move(answer)), see_(std::move(see)) {
    listener_ = Socket(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_.descriptor(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.descriptor(), 64), 0);
    getsockname(listener_.descriptor(), reinterpret_cast<sockaddr*>(&address), &size);
    target_ = *parse_target(base::str_cat("http://127.0.0.1:", ntohs(address.sin_port)));
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }

  const Target& target() const { return target_; }
  int requests() const { return requests_; }

 private:
  void serve(const std::stop_token& stop) {
    std::vector<Socket> connections;
    while (!stop.stop_requested()) {
      std::vector<pollfd> entries{{listener_.descriptor(), POLLIN, 0}};
      for (const Socket& socket : connections) entries.push_back({socket.descriptor(), POLLIN, 0});
      poll(entries.data(), entries.size(), 20);
      for (size_t i = entries.size(); i-- > 1;) {
        if (entries[i].revents != 0 && !answer(connections[i - 1])) {
          connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i) - 1);
        }
      }
      if (entries[0].revents != 0) {
        connections.emplace_back(accept4(listener_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
      }
    }
  }

  bool answer(const Socket& socket) {
    char request[4096];
    const ssize_t size = recv(socket.descriptor(), request, sizeof(request), 0);
    if (size <= 0) return false;
    if (see_) see_({request, static_cast<size_t>(size)});
    const std::string reply = answer_(requests_++);
    return !reply.empty() &&
           send(socket.descriptor(), reply.data(), reply.size(), MSG_NOSIGNAL) > 0;
  }

  Answer answer_;
  std::function<void(std::string_view)> see_;
  Socket listener_;
  Target target_;
  std::atomic<int> requests_ = 0;
  std::jthread thread_;
};

Plan short_plan() {
  Plan plan;
  plan.duration = milliseconds(300);
  plan.timeout = seconds(20);
  return plan;
}

TEST(HttpLoad, ClosedLoopCountsEveryReply) {
  FakeServer server([](int) { return std::string(kReply); });
  Plan plan = short_plan();
  plan.connections = 5;
  plan.threads = 2;
  const auto outcome = load_http(server.target(), std::string(kRequest), plan);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->errors, 0U);
  EXPECT_GT(outcome->latencies.count(), 5U);
  EXPECT_EQ(outcome->latencies.count(), static_cast<uint64_t>(server.requests()));
  EXPECT_GE(outcome->seconds, 0.3);
}

// A server that stands still for a while makes every request that was due then late. A client that
// times from when it could send would see one slow request.
TEST(HttpLoad, OpenLoopIsFreeOfCoordinatedOmission) {
  constexpr auto kStall = milliseconds(200);
  FakeServer server([&](int n) {
    if (n == 10) std::this_thread::sleep_for(kStall);
    return std::string(kReply);
  });
  Plan plan = short_plan();
  plan.rate = 200;  // one every 5 ms: 40 are due during the stall
  plan.poisson = false;
  const auto outcome = load_http(server.target(), std::string(kRequest), plan);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->errors, 0U);
  EXPECT_EQ(outcome->latencies.count(), 60U);  // all that the rate says, in spite of the stall
  // A third of the stall's requests wait for two thirds of it or longer.
  EXPECT_GE(outcome->latencies.percentile(80), kStall / 4);
  EXPECT_GE(outcome->latencies.percentile(100), kStall);

  FakeServer again([&](int n) {
    if (n == 10) std::this_thread::sleep_for(kStall);
    return std::string(kReply);
  });
  plan.rate = 0;
  const auto closed = load_http(again.target(), std::string(kRequest), plan);
  ASSERT_TRUE(closed.ok());
  EXPECT_GE(closed->latencies.percentile(100), kStall);  // the one that closed loops see
}

TEST(HttpLoad, OtherStatusesAreErrorsWithTheirReason) {
  FakeServer server([](int n) {
    return n % 2 == 0 ? std::string(kReply)
                      : "HTTP/1.1 503 No\r\nContent-Length: 16\r\n\r\n{\"error\":\"full\"}" +
                            std::string();
  });
  const auto outcome = load_http(server.target(), std::string(kRequest), short_plan());
  ASSERT_TRUE(outcome.ok());
  EXPECT_GT(outcome->latencies.count(), 0U);
  EXPECT_GT(outcome->errors, 0U);
  ASSERT_EQ(outcome->messages.size(), 1U);
  EXPECT_EQ(outcome->messages.begin()->first, "HTTP 503: full");
  EXPECT_EQ(outcome->refusals.count(), outcome->errors);
}

TEST(HttpLoad, UniqueRequestsEndInNumbersOfTheirOwn) {
  std::set<std::string> seen;
  uint64_t requests = 0;
  {
    FakeServer server([](int) { return std::string(kReply); },
                      [&](std::string_view request) { seen.emplace(request); });
    Plan plan = short_plan();
    plan.connections = 3;
    plan.threads = 2;
    plan.unique = true;
    plan.first_number = 7;
    const auto outcome = load_http(server.target(), std::string(kRequest) + "body", plan);
    ASSERT_TRUE(outcome.ok()) << outcome.status();
    requests = outcome->latencies.count();
  }
  EXPECT_GT(requests, 3U);
  EXPECT_EQ(seen.size(), requests);
  const float first = 7;
  std::string one(kRequest);
  one.append(reinterpret_cast<const char*>(&first), sizeof(first));
  EXPECT_TRUE(seen.contains(one));
}

TEST(HttpLoad, ConnectsAgainWhenTheServerCloses) {
  FakeServer server([](int n) {
    if (n % 3 == 1) return std::string();  // no reply at all
    if (n % 3 == 2) {
      return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    }
    return std::string(kReply);
  });
  Plan plan = short_plan();
  plan.duration = milliseconds(700);
  const auto outcome = load_http(server.target(), std::string(kRequest), plan);
  ASSERT_TRUE(outcome.ok());
  EXPECT_GE(outcome->latencies.count(), 3U);
  EXPECT_GE(outcome->errors, 1U);
  EXPECT_THAT(outcome->messages.begin()->first, HasSubstr("closed the connection"));
}

TEST(HttpLoad, NonsenseIsAnError) {
  FakeServer server([](int) { return std::string("SSH-2.0-x\r\n"); });
  const auto outcome = load_http(server.target(), std::string(kRequest), short_plan());
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->latencies.count(), 0U);
  ASSERT_FALSE(outcome->messages.empty());
  EXPECT_THAT(outcome->messages.begin()->first, HasSubstr("not HTTP/1.1"));
}

TEST(HttpLoad, GivesUpOnRepliesThatDontCome) {
  FakeServer server([](int) { return std::string("HTTP/1.1 200 OK\r\n"); });  // half a head
  Plan plan = short_plan();
  plan.timeout = milliseconds(200);
  const auto outcome = load_http(server.target(), std::string(kRequest), plan);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->latencies.count(), 0U);
  EXPECT_GE(outcome->errors, 1U);
}

TEST(HttpLoad, NobodyThereIsToldAtOnce) {
  Target target;
  {
    FakeServer server([](int) { return std::string(); });
    target = server.target();
  }
  const auto outcome = load_http(target, std::string(kRequest), short_plan());
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(std::string(base::message(outcome.status())), HasSubstr("can't connect to http://"));
}

TEST(CallLoad, TimesAndCountsCalls) {
  Plan plan = short_plan();
  plan.connections = 3;
  std::atomic<int> calls = 0;
  const auto outcome = load_calls(
      [&]() -> base::Status {
        if (++calls % 2 == 0) return absl::InternalError("every other");
        return {};
      },
      plan);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->latencies.count() + outcome->errors, static_cast<uint64_t>(calls));
  EXPECT_EQ(outcome->messages.begin()->first, "every other");
}

TEST(CallLoad, OpenLoopTimesFromTheMomentDue) {
  Plan plan = short_plan();
  plan.rate = 1000;
  plan.poisson = false;
  bool first = true;
  const auto outcome = load_calls(
      [&]() -> base::Status {
        if (std::exchange(first, false)) std::this_thread::sleep_for(milliseconds(200));
        return {};
      },
      plan);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->latencies.count(), 300U);
  EXPECT_GE(outcome->latencies.percentile(50), milliseconds(20));
}

}  // namespace
}  // namespace supernova::bench
