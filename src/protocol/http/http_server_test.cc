// The listener over real sockets.
#include "protocol/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "protocol/http/http_test_fixture.h"

namespace supernova::protocol::http {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(HttpServerTest, AnswersWithLengthAndType) {
  EXPECT_EQ(exchange("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nGET /a?b=c ");
}

TEST_F(HttpServerTest, KeepsTheConnection) {
  Client client(server_->port());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client.send("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"));
    EXPECT_EQ(body_of(client.receive()), "POST /a abc");
  }
}

// A head that comes again is not read again; what differs is.
TEST_F(HttpServerTest, SameHeadsShareOneAndOthersDoNot) {
  std::mutex mutex;
  std::vector<std::shared_ptr<const HttpHead>> heads;
  handler_.act = [&](HttpRequest request, Responder respond) {
    HttpResponse response;
    response.body = request.target() + " " + std::string(request.body.view());
    {
      std::lock_guard lock(mutex);
      heads.push_back(request.head);
    }
    respond(std::move(response));
  };
  Client client(server_->port());
  const std::string head = "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n";
  const std::string other = "POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\n";
  const std::string chunked = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto ask = [&](const std::string& request) {
    client.send(request);
    return body_of(client.receive());
  };
  EXPECT_EQ(ask(head + "12"), "/a 12");
  EXPECT_EQ(ask(head + "34"), "/a 34");
  EXPECT_EQ(ask(other + "56"), "/b 56");
  EXPECT_EQ(ask(chunked + "1\r\n7\r\n0\r\n\r\n"), "/a 7");
  EXPECT_EQ(ask(chunked + "1\r\n8\r\n0\r\n\r\n"), "/a 8");
  EXPECT_EQ(ask(head + "90"), "/a 90");
  client.send(head + "ab" + head + "cd" + head);  // the last one's body comes later
  EXPECT_EQ(body_of(client.receive()), "/a ab");
  EXPECT_EQ(body_of(client.receive()), "/a cd");
  EXPECT_EQ(ask("ef"), "/a ef");
  ASSERT_EQ(heads.size(), 9u);
  EXPECT_EQ(heads[0], heads[1]);
  EXPECT_NE(heads[1], heads[2]);
  EXPECT_NE(heads[3], heads[4]);
  EXPECT_EQ(heads[5], heads[6]);
  EXPECT_EQ(heads[6], heads[8]);
}

TEST_F(HttpServerTest, AKnownHeadInPiecesIsReadAsWell) {
  Client client(server_->port());
  const std::string request = "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy";
  for (size_t at = 0; at <= request.size(); at += 5) {
    client.send(request.substr(0, at));
    std::this_thread::sleep_for(2ms);
    client.send(request.substr(at));
    EXPECT_EQ(body_of(client.receive()), "POST /a xy") << at;
  }
}

TEST_F(HttpServerTest, ClosesWhenAsked) {
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, Http10ClosesUnlessKeptAlive) {
  Client client(server_->port());
  client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(client.receive(), HasSubstr("Connection: keep-alive\r\n"));
  client.send("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "GET /2 ");
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  Client client(server_->port());
  client.send("HEAD /h HTTP/1.1\r\n\r\nGET /g HTTP/1.1\r\n\r\n");
  EXPECT_THAT(client.receive(false), HasSubstr("Content-Length: 8\r\n"));
  EXPECT_EQ(body_of(client.receive()), "GET /g ");
}

TEST_F(HttpServerTest, PipelinedResponsesKeepTheirOrder) {
  // The first request is answered last and from another thread.
  std::vector<std::thread> threads;
  handler_.act = [&](HttpRequest request, Responder respond) {
    threads.emplace_back([target = request.target(), respond = std::move(respond)]() mutable {
      std::this_thread::sleep_for(target == "/0" ? 50ms : 0ms);
      HttpResponse response;
      response.body = target;
      respond(std::move(response));
    });
  };
  Client client(server_->port());
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += "POST /" + std::to_string(i) + " HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy";
  }
  client.send(requests);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(body_of(client.receive()), "/" + std::to_string(i));
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HttpServerTest, ManyPipelinedRequestsDoNotGrowTheStack) {
  Client client(server_->port());
  constexpr int kCount = 20000;
  std::thread sender([&] {
    std::string requests;
    for (int i = 0; i < kCount; ++i) requests += "GET / HTTP/1.1\r\n\r\n";
    client.send(requests);
  });
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(body_of(client.receive()), "GET / ");
  sender.join();
}

TEST_F(HttpServerTest, ReadsChunks) {
  Client client(server_->port());
  client.send(
      "POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;name=value\r\nWiki\r\n5\r\npedia\r\n0\r\nTrailer: ignored\r\n\r\n"
      "GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "POST /c Wikipedia");
  EXPECT_EQ(body_of(client.receive()), "GET /next ");
}

TEST_F(HttpServerTest, ReadsByteByByte) {
  for (const std::string_view request : {"POST /slow HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
                                         "POST /slow HTTP/1.1\r\nTransfer-Encoding: "
                                         "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"}) {
    Client client(server_->port());
    for (const char c : request) {
      client.send({&c, 1});
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(body_of(client.receive()), "POST /slow hello");
  }
}

TEST_F(HttpServerTest, LargeChunkedBodyArrivesWhole) {
  std::string body(3'000'000, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7 + i / 1000);
  std::string message = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < body.size(); at += 70'000) {
    const std::string piece = body.substr(at, 70'000);
    char size[32];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    message += size + piece + "\r\n";
  }
  message += "0\r\n\r\n";
  Client client(server_->port());
  std::thread sender([&] { client.send(message); });
  const std::string got = body_of(client.receive());
  sender.join();
  EXPECT_TRUE(got == "POST / " + body) << got.size();
}

// What lies behind the JSON part must be aligned however the body arrives.
TEST_F(HttpServerTest, BodyIsAlignedBehindItsJson) {
  const std::string json(133, 'j');
  std::string body = json + std::string(600'000, 'b');
  for (size_t i = json.size(); i < body.size(); ++i) body[i] = static_cast<char>(i * 31);
  std::mutex mutex;
  std::vector<uintptr_t> addresses;
  handler_.act = [&](HttpRequest request, Responder respond) {
    HttpResponse response;
    response.body = request.body.view() == body ? "same" : "other";
    {
      std::lock_guard lock(mutex);
      addresses.push_back(reinterpret_cast<uintptr_t>(request.body.data() + json.size()));
    }
    respond(std::move(response));
  };
  const std::string common = "POST / HTTP/1.1\r\nInference-Header-Content-Length: 133\r\n";
  char chunk[32];
  std::snprintf(chunk, sizeof(chunk), "%zx\r\n", body.size());
  for (const std::string& message :
       {common + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
        common + "Transfer-Encoding: chunked\r\n\r\n" + chunk + body + "\r\n0\r\n\r\n"}) {
    EXPECT_EQ(body_of(exchange(message)), "same");
  }
  ASSERT_EQ(addresses.size(), 2u);
  for (const uintptr_t address : addresses) EXPECT_EQ(address % tensor::Buffer::kAlignment, 0u);
}

TEST_F(HttpServerTest, LargeBodiesBothWaysWithASlowReader) {
  const std::string body(40'000'000, 'z');  // beyond what is trusted at once
  Client client(server_->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  std::this_thread::sleep_for(20ms);
  client.send(body);
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(body_of(client.receive()) == "POST / " + body);
}

TEST_F(HttpServerTest, AnswersExpectation) {
  Client client(server_->port());
  client.send("POST /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_EQ(body_of(client.receive()), "POST /e ok");
}

TEST_F(HttpServerTest, RefusesOtherExpectations) {
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n"),
              StartsWith("HTTP/1.1 417 "));
}

TEST_F(HttpServerTest, MalformedRequestsAreRefusedAndTheConnectionIsClosed) {
  for (const std::string_view request :
       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"}) {
    SCOPED_TRACE(request);
    Client client(server_->port());
    client.send(request);
    const std::string response = client.receive();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(response, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(body_of(response), StartsWith("{\"error\":\"malformed "));
    EXPECT_TRUE(client.closed());
  }
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), EndsWith("GET / "));
}

TEST_F(HttpServerTest, UnknownTransferEncodingIsRefused) {
  for (const char* coding : {"gzip, chunked", "gzip", "identity"}) {
    EXPECT_THAT(exchange("POST / HTTP/1.1\r\nTransfer-Encoding: " + std::string(coding) +
                         "\r\n\r\n0\r\n\r\n"),
                StartsWith("HTTP/1.1 501 "))
        << coding;
  }
}

TEST_F(HttpServerTest, TruncatedRequestsAreRefused) {
  for (const std::string_view request :
       {"GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    Client client(server_->port());
    client.send(request);
    client.half_close();
    EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 400 ")) << request;
  }
}

TEST_F(HttpServerTest, HeaderTooLarge) {
  options_.max_header_bytes = 4096;
  start();
  const std::string field = "X-Field: " + std::string(100, 'x') + "\r\n";
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 60; ++i) many += field;
  for (const std::string& request :
       {many, "GET /" + std::string(5000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"}) {
    EXPECT_THAT(exchange(request), StartsWith("HTTP/1.1 431 ")) << request.size();
  }
  // Field by field, so that no single read is large.
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 60 && client.send(field); ++i) std::this_thread::sleep_for(1ms);
  EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, BodyTooLarge) {
  options_.max_body_bytes = 1000;
  start();
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
              StartsWith("HTTP/1.1 413 "));
  // Who is still sending gets the answer too.
  Client client(server_->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n");
  client.send(std::string(2'000'000, 'x'));
  EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, TooManyChunksAreRefused) {
  std::string message = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 65537; ++i) message += "1\r\nx\r\n";
  const std::string response = exchange(message + "0\r\n\r\n");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(response, HasSubstr("65536 chunks"));
}

TEST_F(HttpServerTest, EndlessChunkHeaderIsRefused) {
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=" +
                       std::string(100'000, 'x')),
              StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, TimeoutsOfHeaderBodyAndIdleness) {
  options_.header_timeout = std::chrono::seconds(1);
  options_.body_timeout = std::chrono::seconds(1);
  options_.idle_timeout = std::chrono::seconds(1);
  start();
  Client head(server_->port());
  head.send("GET / HTTP/1.1\r\n");
  Client body(server_->port());
  body.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  Client idle(server_->port());
  EXPECT_THAT(head.receive_all(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(body.receive_all(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(idle.receive_all(), "");
}

TEST_F(HttpServerTest, DisconnectCancels) {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<tensor::Cancellation> cancellation;
  std::optional<Responder> kept;
  handler_.act = [&](HttpRequest request, Responder respond) {
    std::lock_guard lock(mutex);
    cancellation = request.cancellation;
    kept.emplace(std::move(respond));
    changed.notify_all();
  };
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 5s, [&] { return cancellation != nullptr; }));
  }
  std::this_thread::sleep_for(300ms);
  EXPECT_FALSE(cancellation->cancelled());
  client.close();
  for (int i = 0; i < 500 && !cancellation->cancelled(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(cancellation->cancelled());
  (*kept)(HttpResponse{});  // into the void
}

TEST_F(HttpServerTest, HandlerThatThrowsOrForgetsIsAnswered500) {
  handler_.act = [](HttpRequest, Responder) { throw std::runtime_error("boom"); };
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
  handler_.act = [](HttpRequest, Responder) {};
  EXPECT_THAT(exchange("GET / HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, TheReplyLeavesBeforeTheHandlerReturns) {
  std::promise<void> received;
  std::future<void> got = received.get_future();
  std::future_status seen = std::future_status::timeout;
  handler_.act = [&](HttpRequest request, Responder respond) {
    const bool stays = request.target() == "/stays";
    HttpResponse response;
    response.body = "early";
    respond(std::move(response));
    if (stays) seen = got.wait_for(10s);
    throw std::runtime_error("too late to matter");
  };
  Client client(server_->port());
  client.send("GET /stays HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "early");
  received.set_value();
  client.send("GET /next HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body_of(client.receive()), "early");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(seen, std::future_status::ready);
}

TEST_F(HttpServerTest, ResponseOutlivingTheServerIsDropped) {
  std::optional<Responder> kept;
  std::mutex mutex;
  std::condition_variable changed;
  handler_.act = [&](HttpRequest, Responder respond) {
    std::lock_guard lock(mutex);
    kept.emplace(std::move(respond));
    changed.notify_all();
  };
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 5s, [&] { return kept.has_value(); }));
  }
  server_.reset();
  EXPECT_TRUE(client.closed());
  (*kept)(HttpResponse{});
}

TEST_F(HttpServerTest, DrainFinishesWhatIsInProgress) {
  std::thread late;
  std::atomic<bool> begun{false};
  handler_.act = [&](HttpRequest, Responder respond) {
    begun = true;
    late = std::thread([respond = std::move(respond)]() mutable {
      std::this_thread::sleep_for(200ms);
      HttpResponse response;
      response.body = "late";
      respond(std::move(response));
    });
  };
  Client busy(server_->port());
  busy.send("GET / HTTP/1.1\r\n\r\n");
  Client idle(server_->port());
  while (!begun) std::this_thread::sleep_for(1ms);
  const auto from = std::chrono::steady_clock::now();
  server_->drain(from + 10s);
  EXPECT_LT(std::chrono::steady_clock::now() - from, 5s);
  const std::string response = busy.receive();
  EXPECT_EQ(body_of(response), "late");
  EXPECT_THAT(response, HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(idle.closed());
  EXPECT_FALSE(Client(server_->port()).connected());
  late.join();
}

TEST_F(HttpServerTest, DrainEndsAtItsDeadline) {
  std::optional<Responder> kept;
  std::atomic<bool> begun{false};
  handler_.act = [&](HttpRequest, Responder respond) {
    kept.emplace(std::move(respond));
    begun = true;
  };
  Client client(server_->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  while (!begun) std::this_thread::sleep_for(1ms);
  const auto from = std::chrono::steady_clock::now();
  server_->drain(from + 100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - from, 3s);
}

TEST_F(HttpServerTest, PortInUse) {
  HttpServerOptions second = options_;
  second.port = server_->port();
  const auto refused = HttpServer::start(second, handler_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::message(refused.status()),
            "HTTP port 127.0.0.1:" + std::to_string(second.port) +
                " is already in use; choose another with --http-port");
}

TEST_F(HttpServerTest, HostThatIsNotOurs) {
  HttpServerOptions other = options_;
  other.host = "192.0.2.1";
  EXPECT_THAT(base::message(HttpServer::start(other, handler_).status()), HasSubstr("--host"));
}

TEST(ErrorResponse, IsJson) {
  const HttpResponse response = error_response(404, "a \"b\"\n");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "{\"error\":\"a \\\"b\\\"\\u000a\"}");
}

}  // namespace
}  // namespace supernova::protocol::http
