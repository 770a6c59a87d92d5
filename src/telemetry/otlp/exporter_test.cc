// Spans are sent to a receiver made here: a socket that takes POSTs and keeps their bodies.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <string>
#include <thread>

#include "telemetry/exporters.h"

namespace supernova::telemetry::otlp {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// Answers one POST and hands out what came.
class Receiver {
 public:
  explicit Receiver(std::string status_line = "HTTP/1.1 200 OK")
      : status_line_(std::move(status_line)) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(socket_, 4), 0);
    socklen_t length = sizeof(address);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { request_.set_value(serve()); });
  }
  ~Receiver() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  std::string url() const { return base::str_cat("127.0.0.1:", port_, "/v1/traces"); }
  std::string request() { return request_.get_future().get(); }

 private:
  std::string serve() const {
    const int client = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return "";
    std::string all;
    char part[4096];
    size_t wanted = std::string::npos;
    while (all.size() < wanted) {
      const ssize_t got = read(client, part, sizeof(part));
      if (got <= 0) break;
      all.append(part, static_cast<size_t>(got));
      const size_t end = all.find("\r\n\r\n");
      if (wanted != std::string::npos || end == std::string::npos) continue;
      std::string head = all.substr(0, end);
      std::transform(head.begin(), head.end(), head.begin(), ::tolower);
      wanted = end + 4 + std::stoul(head.substr(head.find("content-length:") + 15));
    }
    const std::string answer = status_line_ + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    EXPECT_EQ(write(client, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    close(client);
    return all;
  }

  const std::string status_line_;
  int socket_ = -1;
  uint16_t port_ = 0;
  std::promise<std::string> request_;
  std::thread thread_;
};

template <typename Bytes>
std::string raw(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Span example() {
  Span span;
  span.name = "infer resnet";
  span.context = new_trace();
  span.parent_id = new_trace().span_id;
  span.server = true;
  span.start = std::chrono::system_clock::now();
  span.duration = std::chrono::microseconds(1500);
  span.attributes = {{"model.name", std::string("resnet")}, {"model.version", int64_t{3}}};
  return span;
}

TEST(OtlpExporter, DeliversSpansWithTheirIdentity) {
  Receiver receiver;
  ExporterOptions options;
  options.url = receiver.url();
  options.resource["service.name"] = "my-service";
  auto exporter = open_exporter("otlp", options);
  ASSERT_TRUE(exporter.ok()) << exporter.status();
  const Span span = example();
  EXPECT_TRUE((*exporter)->write({span}).ok());
  const std::string request = receiver.request();
  EXPECT_THAT(request, StartsWith("POST /v1/traces HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("service.name"));
  EXPECT_THAT(request, HasSubstr("my-service"));
  EXPECT_THAT(request, HasSubstr("infer resnet"));
  EXPECT_THAT(request, HasSubstr(raw(span.context.trace_id)));
  EXPECT_THAT(request, HasSubstr(raw(span.context.span_id)));
  EXPECT_THAT(request, HasSubstr(raw(span.parent_id)));
  EXPECT_THAT(request, HasSubstr("model.version"));
}

TEST(OtlpExporter, SaysWhenSpansAreLost) {
  Receiver receiver("HTTP/1.1 400 Bad Request");
  ExporterOptions options;
  options.url = receiver.url();
  auto exporter = open_exporter("otlp", options);
  ASSERT_TRUE(exporter.ok());
  const base::Status status = (*exporter)->write({example()});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(base::message(status)),
              AllOf(HasSubstr(receiver.url()), HasSubstr("400")));
  receiver.request();
}

TEST(OtlpExporter, ACollectorThatIsNotThereIsNamed) {
  ExporterOptions options;
  options.url = "http://127.0.0.1:1/v1/traces";
  auto exporter = open_exporter("otlp", options);
  ASSERT_TRUE(exporter.ok());
  const base::Status status = (*exporter)->write({example()});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(base::message(status)), HasSubstr("127.0.0.1:1"));
}

}  // namespace
}  // namespace supernova::telemetry::otlp
