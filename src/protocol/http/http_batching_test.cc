// How an I/O thread brings requests together for a model that batches.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <thread>

#include "protocol/http/http_test_fixture.h"
#include "schedule/scheduler.h"
#include "support/row_engine.h"

namespace supernova::protocol::http {
namespace {

using testing_support::RowEngine;
using testing_support::rows_request;

constexpr char kRow[] = "GET /row HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr char kOther[] = "GET /other HTTP/1.1\r\nHost: x\r\n\r\n";

// GET /row runs one row of the model; /wait holds the I/O thread up; anything else is answered at
// once.
class HttpBatchingTest : public HttpServerTest {
 protected:
  HttpBatchingTest() {
    options_.threads = 1;
    handler_.act = [this](HttpRequest request, Responder respond) {
      if (request.target() == "/row") return run_row(std::move(respond));
      if (request.target() == "/wait") {
        waiting_.set_value();
        go_on_.get_future().wait();
      }
      HttpResponse response;
      response.body = "other";
      respond(std::move(response));
    };
  }
  ~HttpBatchingTest() override { server_.reset(); }

  void run_row(Responder respond) {
    tensor::Request row = rows_request(1, 1);
    row.may_run_here = true;
    scheduler_->enqueue(std::move(row), [respond = std::move(respond)](
                                            base::Result<tensor::Response> result) mutable {
      HttpResponse response;
      response.status = result.ok() ? 200 : 500;
      response.body = "row";
      respond(std::move(response));
    });
  }
  static schedule::SchedulerOptions batches_of_8() {
    schedule::SchedulerOptions options;
    options.has_batch_dimension = true;
    options.batching.max_batch_size = 8;
    return options;
  }
  // Until runs happen on the I/O thread.
  void warm_up() {
    Client client(server_->port());
    for (int i = 0; i < 5000 && !scheduler_->figures().cheap; ++i) {
      client.send(kRow);
      ASSERT_EQ(body_of(client.receive()), "row");
    }
    ASSERT_TRUE(scheduler_->figures().cheap);
  }

  RowEngine engine_;
  std::unique_ptr<schedule::Scheduler> scheduler_ =
      std::make_unique<schedule::Scheduler>(engine_.session(), batches_of_8());
  std::promise<void> waiting_;
  std::promise<void> go_on_;
};

TEST_F(HttpBatchingTest, WhatAllSocketsHaveBroughtRunsTogether) {
  warm_up();
  Client busy(server_->port());
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(server_->port()));
    clients.back()->send(kOther);
    ASSERT_EQ(body_of(clients.back()->receive()), "other");
  }
  const auto before = scheduler_->figures();
  busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
  waiting_.get_future().wait();
  for (const auto& client : clients) client->send(kRow);
  go_on_.set_value();
  for (const auto& client : clients) EXPECT_EQ(body_of(client->receive()), "row");
  EXPECT_EQ(RowEngine::runs().back(), 8U);
  const auto after = scheduler_->figures();
  EXPECT_EQ(after.runs - before.runs, 1U);
  EXPECT_EQ(after.runs_here - before.runs_here, 1U);
}

TEST_F(HttpBatchingTest, RequestsThatCameInOnePieceAreAllAnswered) {
  warm_up();
  Client client(server_->port());
  std::string many;
  for (int i = 0; i < 50; ++i) many += kRow;
  client.send(many);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(body_of(client.receive()), "row");
}

// Sockets that always have something to read for somebody else.
TEST_F(HttpBatchingTest, OthersRequestsDoNotHoldABatchUp) {
  warm_up();
  Client flood(server_->port());
  std::atomic<bool> over{false};
  std::string many;
  for (int i = 0; i < 200; ++i) many += kOther;
  std::thread asks([&] {
    while (!over && flood.send(many)) {
    }
    flood.half_close();
  });
  std::thread reads([&] { flood.receive_all(); });
  Client client(server_->port());
  for (int i = 0; i < 20; ++i) {
    client.send(kRow);
    EXPECT_EQ(body_of(client.receive()), "row");
    if (HasFailure()) break;
  }
  over = true;
  asks.join();
  reads.join();
}

}  // namespace
}  // namespace supernova::protocol::http
