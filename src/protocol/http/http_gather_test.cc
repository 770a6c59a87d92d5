// Large bodies that come while other requests are served, which the kernel gathers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "protocol/http/http_test_fixture.h"

namespace supernova::protocol::http {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string head_of(size_t length) {
  return "POST /x HTTP/1.1\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

class HttpGatherTest : public HttpServerTest {
 protected:
  HttpGatherTest() { options_.threads = 1; }

  // A request on its own connection is in the handler from here to the end of the test.
  void SetUp() override {
    HttpServerTest::SetUp();
    handler_.act = [this](HttpRequest request, Responder respond) {
      if (request.target() == "/held") {
        std::lock_guard lock(mutex_);
        held_.emplace(std::move(respond));
        return;
      }
      HttpResponse response;
      response.body = std::to_string(request.body.size()) + " ";
      response.buffers.push_back(request.body);
      respond(std::move(response));
    };
    ASSERT_TRUE(holding_.connect(server_->port()));
    holding_.send("GET /held HTTP/1.1\r\n\r\n");
    for (int i = 0; i < 1000 && !holds(); ++i) std::this_thread::sleep_for(5ms);
    ASSERT_TRUE(holds());
  }
  void TearDown() override {
    {
      std::lock_guard lock(mutex_);
      if (held_) (*held_)(HttpResponse{});
      held_.reset();
    }
    EXPECT_THAT(holding_.receive(), StartsWith("HTTP/1.1 200"));
  }
  bool holds() {
    std::lock_guard lock(mutex_);
    return held_.has_value();
  }

  const std::string body_ = [] {
    std::string body(700'000, '\0');
    for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * i % 23);
    return body;
  }();
  Client holding_;

 private:
  std::mutex mutex_;
  std::optional<Responder> held_;
};

TEST_F(HttpGatherTest, BodiesArriveWholeAndSmallRequestsFollow) {
  Client client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.send(head_of(body_.size()));
    client.send(std::string_view(body_).substr(0, 1000));
    std::this_thread::sleep_for(5ms);  // so that the server has begun to wait, mostly
    client.send(std::string_view(body_).substr(1000));
    EXPECT_EQ(body_of(client.receive()), "700000 " + body_);
    client.send(head_of(5) + "small");
    EXPECT_EQ(body_of(client.receive()), "5 small");
  }
}

TEST_F(HttpGatherTest, BodiesLargerThanWhatIsGathered) {
  const std::string large(5'000'000, 'l');
  Client client(server_->port());
  client.send(head_of(large.size()) + large);
  EXPECT_EQ(body_of(client.receive()), "5000000 " + large);
}

TEST_F(HttpGatherTest, ABodyThatEndsTooSoonIsTold) {
  Client client(server_->port());
  client.send(head_of(body_.size()) + body_.substr(0, 100'000));
  std::this_thread::sleep_for(5ms);
  client.half_close();
  EXPECT_THAT(client.receive(), HasSubstr("the body ends after 100000 of 700000 bytes"));
}

class HttpSlowGatherTest : public HttpGatherTest {
 protected:
  HttpSlowGatherTest() { options_.body_timeout = 1s; }
};

TEST_F(HttpSlowGatherTest, SlowBodiesMakeProgress) {
  Client client(server_->port());
  client.send(head_of(body_.size()));
  // Less than is waited for, and in all it takes longer than the timeout.
  const std::string_view body = body_;
  for (size_t i = 0; i < 20; ++i) {
    client.send(body.substr(i * 1000, 1000));
    std::this_thread::sleep_for(100ms);
  }
  client.send(body.substr(20'000));
  EXPECT_THAT(client.receive(), EndsWith(body_));
}

}  // namespace
}  // namespace supernova::protocol::http
