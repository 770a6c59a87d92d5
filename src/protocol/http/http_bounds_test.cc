// Coded bodies and the listener's bounds over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "protocol/http/coding.h"
#include "protocol/http/http_test_fixture.h"

namespace supernova::protocol::http {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpBoundsTest : public HttpServerTest {};

std::string encode(std::string_view text, Coding coding) {
  Encoder encoder(coding);
  std::string out;
  EXPECT_TRUE(encoder.encode(text, out) && encoder.finish(out));
  return out;
}

std::string decode(std::string_view data, Coding coding) {
  Decoder decoder(coding);
  std::string out(64 << 20, '\0');
  std::span<std::byte> room = std::as_writable_bytes(std::span(out));
  const size_t size = room.size();
  EXPECT_EQ(decoder.decode(data, room), Decoder::Outcome::kNeedsInput) << decoder.error();
  EXPECT_TRUE(decoder.is_complete());
  out.resize(size - room.size());
  return out;
}

std::string sized(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string chunked(const std::string& fields, const std::string& body, size_t step) {
  std::string message = "POST / HTTP/1.1\r\n" + fields + "Transfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < body.size(); at += step) {
    const std::string piece = body.substr(at, step);
    char size[32];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    message += size + piece + "\r\n";
  }
  return message + "0\r\n\r\n";
}

TEST_F(HttpBoundsTest, CodedBodiesAreDecodedAndAligned) {
  const std::string json(133, 'j');
  std::string body = json + std::string(600'000, 'b');
  for (size_t i = json.size(); i < body.size(); ++i) body[i] = static_cast<char>((i * i) >> 9);
  std::mutex mutex;
  std::vector<uintptr_t> addresses;
  handler_.act = [&](HttpRequest request, Responder respond) {
    HttpResponse response;
    response.body = request.body.view() == body ? "same" : "other";
    if (request.header("content-encoding") != nullptr) response.body = "still coded";
    {
      std::lock_guard lock(mutex);
      addresses.push_back(reinterpret_cast<uintptr_t>(request.body.data() + json.size()));
    }
    respond(std::move(response));
  };
  Client client(server_->port());
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate}) {
    const std::string fields = "Inference-Header-Content-Length: 133\r\nContent-Encoding: " +
                               std::string(name_of(coding)) + "\r\n";
    const std::string coded = encode(body, coding);
    client.send(sized(fields, coded));
    EXPECT_EQ(body_of(client.receive()), "same");
    client.send(chunked(fields, coded, 5000));
    EXPECT_EQ(body_of(client.receive()), "same");
  }
  ASSERT_EQ(addresses.size(), 4u);
  for (const uintptr_t address : addresses) EXPECT_EQ(address % tensor::Buffer::kAlignment, 0u);
}

TEST_F(HttpBoundsTest, CodedBodyWithExpectationAndInDrops) {
  const std::string coded = encode("hello", Coding::kGzip);
  Client client(server_->port());
  client.send(
      "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\nContent-Length: " +
      std::to_string(coded.size()) + "\r\n\r\n");
  EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  for (const char c : coded) {
    client.send({&c, 1});
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(body_of(client.receive()), "POST / hello");
  client.send("GET /next HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n");  // without a body
  EXPECT_EQ(body_of(client.receive()), "GET /next ");
}

TEST_F(HttpBoundsTest, DamagedCodedBodiesAreRefused) {
  const std::string coded = encode(std::string(1000, 'x'), Coding::kGzip);
  for (const std::string& body :
       {coded + "garbage", coded.substr(0, coded.size() - 1), std::string("not gzip at all")}) {
    for (const std::string& message : {sized("Content-Encoding: gzip\r\n", body),
                                       chunked("Content-Encoding: gzip\r\n", body, 10)}) {
      Client client(server_->port());
      client.send(message);
      const std::string response = client.receive();
      EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
      EXPECT_THAT(response, HasSubstr("{\"error\":\"the "));
      EXPECT_TRUE(client.closed());
    }
  }
}

TEST_F(HttpBoundsTest, UnknownCodingsAreRefused) {
  for (const char* coding : {"br", "gzip, deflate", "gzip,gzip", "zstd"}) {
    const std::string response =
        exchange(sized("Content-Encoding: " + std::string(coding) + "\r\n", "abc"));
    EXPECT_THAT(response, StartsWith("HTTP/1.1 501 ")) << coding;
    EXPECT_THAT(response, HasSubstr("Accept-Encoding: gzip, deflate\r\n"));
  }
}

TEST_F(HttpBoundsTest, BombsAreStopped) {
  options_.max_body_bytes = 1'000'000;
  start();
  const std::string bomb = encode(std::string(50'000'000, '\0'), Coding::kGzip);
  ASSERT_LT(bomb.size(), options_.max_body_bytes);
  EXPECT_THAT(exchange(sized("Content-Encoding: gzip\r\n", bomb)), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange(chunked("Content-Encoding: gzip\r\n", bomb, 3000)),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpBoundsTest, ResponsesAreCodedWhenAskedFor) {
  const std::string text(3'000'000, 't');
  handler_.act = [&](HttpRequest request, Responder respond) {
    HttpResponse response;
    response.body = "{json}";
    response.headers.emplace_back("Inference-Header-Content-Length", "6");
    response.buffers = {tensor::Buffer::copy_of(text), tensor::Buffer::copy_of("tail")};
    if (request.target() == "/small") response.buffers.clear();
    if (request.target() == "/error") response.status = 400;
    if (request.target() == "/as-is") response.compressible = false;
    respond(std::move(response));
  };
  const auto get = [&](const std::string& target, const std::string& accept) {
    return exchange("GET " + target + " HTTP/1.1\r\nAccept-Encoding: " + accept + "\r\n\r\n");
  };
  for (const Coding coding : {Coding::kGzip, Coding::kDeflate}) {
    const std::string response = get("/", std::string(name_of(coding)));
    EXPECT_THAT(response, HasSubstr("Content-Encoding: " + std::string(name_of(coding)) + "\r\n"));
    EXPECT_THAT(response, HasSubstr("Vary: Accept-Encoding\r\n"));
    EXPECT_THAT(response, HasSubstr("Inference-Header-Content-Length: 6\r\n"));
    EXPECT_LT(response.size(), 100'000u);
    EXPECT_TRUE(decode(body_of(response), coding) == "{json}" + text + "tail");
  }
  const std::string plain = get("/", "gzip;q=0");
  EXPECT_THAT(plain, Not(HasSubstr("Content-Encoding")));
  EXPECT_THAT(plain, HasSubstr("Vary: Accept-Encoding\r\n"));
  EXPECT_TRUE(body_of(plain) == "{json}" + text + "tail");
  for (const char* target : {"/small", "/error", "/as-is"}) {
    EXPECT_THAT(get(target, "gzip"), Not(HasSubstr("Content-Encoding"))) << target;
  }
}

TEST_F(HttpBoundsTest, WhatDoesNotShrinkGoesAsItIs) {
  for (const size_t size : {2000, 1'000'000}) {
    std::string noise(size, '\0');
    std::mt19937_64 random(1);
    for (char& c : noise) c = static_cast<char>(random());
    handler_.act = [&](HttpRequest, Responder respond) {
      HttpResponse response;
      response.buffers = {tensor::Buffer::copy_of(noise)};
      respond(std::move(response));
    };
    const std::string response = exchange("GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n");
    EXPECT_THAT(response, Not(HasSubstr("Content-Encoding")));
    EXPECT_TRUE(body_of(response) == noise);
  }
}

TEST_F(HttpBoundsTest, ADisconnectWhileCompressingIsHarmless) {
  const tensor::Buffer text = tensor::Buffer::copy_of(std::string(8'000'000, 't'));
  handler_.act = [&](HttpRequest, Responder respond) {
    HttpResponse response;
    response.buffers = {text};
    respond(std::move(response));
  };
  for (int i = 0; i < 20; ++i) {
    Client client(server_->port());
    client.send("GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n");
  }
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpBoundsTest, TheHandlerMayCloseTheConnection) {
  handler_.act = [](HttpRequest, Responder respond) {
    HttpResponse response;
    response.close = true;
    respond(std::move(response));
  };
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpBoundsTest, ConnectionsBeyondTheLimitAreToldSo) {
  options_.max_connections = 3;
  start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(server_->port()));
    clients.back()->send("GET /a HTTP/1.1\r\n\r\n");
    EXPECT_EQ(body_of(clients.back()->receive()), "GET /a ");
  }
  Client extra(server_->port());
  EXPECT_THAT(extra.receive(), StartsWith("HTTP/1.1 503 "));
  EXPECT_TRUE(extra.closed());
  clients[1]->send("GET /still HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(clients[1]->receive()), "GET /still ");
  clients.clear();
  // Places are free again once the server has seen them leave.
  std::string response;
  for (int i = 0; i < 200 && response.find(" 200 ") == std::string::npos; ++i) {
    response = exchange("GET /again HTTP/1.1\r\n\r\n");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_THAT(response, EndsWith("GET /again "));
}

TEST_F(HttpBoundsTest, MemoryOfAllBodiesIsBounded) {
  options_.max_body_memory = 1'000'000;
  start();
  std::mutex mutex;
  std::vector<Responder> kept;
  std::atomic<int> handled{0};
  handler_.act = [&](HttpRequest, Responder respond) {
    std::lock_guard lock(mutex);
    kept.push_back(std::move(respond));
    ++handled;
  };
  const std::string message = sized("", std::string(600'000, 'x'));
  Client first(server_->port());
  first.send(message);
  while (handled < 1) std::this_thread::sleep_for(1ms);
  Client second(server_->port());
  second.send(message);
  const std::string refused = second.receive();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("1000000 bytes for request bodies"));
  // What could never fit is not worth another try.
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nContent-Length: 1000001\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  {
    std::lock_guard lock(mutex);
    kept[0](HttpResponse{});
  }
  EXPECT_THAT(first.receive(), StartsWith("HTTP/1.1 200 "));
  Client third(server_->port());
  third.send(message);
  while (handled < 2) std::this_thread::sleep_for(1ms);
  // Who goes away leaves its memory to the others once the handler is done with it.
  third.close();
  std::this_thread::sleep_for(20ms);
  {
    std::lock_guard lock(mutex);
    kept[1](HttpResponse{});
  }
  for (int i = 0; i < 200 && handled < 3; ++i) {
    Client client(server_->port());
    client.send(message);
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_GE(handled, 3);
}

TEST_F(HttpBoundsTest, SlowSendersAreCutOff) {
  options_.transfer_grace = 1s;
  options_.min_bytes_per_second = 100;
  start();
  for (const std::string_view head :
       {"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"}) {
    Client client(server_->port());
    client.send(head);
    const auto from = std::chrono::steady_clock::now();
    // Always some progress, never enough.
    std::atomic<bool> done{false};
    std::thread sender([&] {
      while (!done && client.send("x")) std::this_thread::sleep_for(50ms);
    });
    EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 408 "));
    done = true;
    sender.join();
    EXPECT_LT(std::chrono::steady_clock::now() - from, 5s);
  }
}

TEST_F(HttpBoundsTest, SlowButSteadySendersAreServed) {
  options_.transfer_grace = 1s;
  options_.min_bytes_per_second = 1000;
  start();
  Client client(server_->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: 16000\r\n\r\n");
  for (int i = 0; i < 16; ++i) {
    client.send(std::string(1000, 'x'));
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_EQ(body_of(client.receive()), "POST / " + std::string(16000, 'x'));
}

TEST_F(HttpBoundsTest, IdleConnectionsWakeUp) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(std::make_unique<Client>(server_->port()));
  for (int round = 0; round < 2; ++round) {
    for (const auto& client : clients) client->send("GET /a HTTP/1.1\r\n\r\n");
    for (const auto& client : clients) ASSERT_EQ(body_of(client->receive()), "GET /a ");
    std::this_thread::sleep_for(1400ms);
  }
}

// Without descriptors new connections wait; they are not lost, and the log is not flooded.
TEST_F(HttpBoundsTest, RunningOutOfDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer itself needs descriptors";
#endif
  Client client(server_->port());
  client.send("GET /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "GET /a ");
  testing::internal::CaptureStderr();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Client waiting;  // has its own descriptor already
  const int highest = ::dup(0);
  ASSERT_GE(highest, 0);
  ::close(highest);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest);  // the lowest free one is too high
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool connected = waiting.connect(server_->port());
  waiting.send("GET /b HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(500ms);
  client.send("GET /c HTTP/1.1\r\n\r\n");
  const std::string meanwhile = client.receive();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(connected);
  EXPECT_EQ(body_of(meanwhile), "GET /c ");
  EXPECT_EQ(body_of(waiting.receive()), "GET /b ");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("can't accept connections"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

// Draining begins while a response is being written: the connection ends with it.
TEST_F(HttpBoundsTest, DrainWhileAResponseIsOnItsWay) {
  const tensor::Buffer large = tensor::Buffer::copy_of(std::string(30'000'000, 'r'));
  std::atomic<bool> answered{false};
  handler_.act = [&](HttpRequest, Responder respond) {
    HttpResponse response;
    response.buffers = {large};
    respond(std::move(response));
    answered = true;
  };
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  while (!answered) std::this_thread::sleep_for(1ms);
  std::thread drain([&] { server_->drain(std::chrono::steady_clock::now() + 9s); });
  std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(body_of(client.receive()) == large.view());
  EXPECT_TRUE(client.closed());
  drain.join();
}

TEST_F(HttpBoundsTest, SeveralListenersSideBySide) {
  FakeHandler metrics;
  metrics.act = [](HttpRequest, Responder respond) {
    HttpResponse response;
    response.body = "metrics";
    respond(std::move(response));
  };
  HttpServerOptions options = options_;
  options.name = "metrics";
  options.flag = "--metrics-port";
  const auto second = HttpServer::start(options, metrics);
  ASSERT_TRUE(second.ok()) << second.status();
  Client client((*second)->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "metrics");
  EXPECT_EQ(body_of(exchange("GET / HTTP/1.1\r\n\r\n")), "GET / ");
  options.port = server_->port();
  EXPECT_EQ(base::message(HttpServer::start(options, metrics).status()),
            "metrics port 127.0.0.1:" + std::to_string(options.port) +
                " is already in use; choose another with --metrics-port");
}

}  // namespace
}  // namespace supernova::protocol::http
