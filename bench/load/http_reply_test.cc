#include "load/http_reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace supernova::bench {
namespace {

using testing::HasSubstr;

// Takes all of `text`, `step` bytes at a time.
base::Status take_all(HttpReply& reply, std::string_view text, size_t step) {
  while (!text.empty()) {
    const size_t size = std::min(step, text.size());
    const auto taken = reply.take(text.substr(0, size));
    if (!taken.ok()) return taken.status();
    EXPECT_EQ(*taken, size);
    text.remove_prefix(size);
  }
  return {};
}

constexpr std::string_view kSized =
    "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length:  5 \r\nX-Thing: a:b\r\n\r\nhello";
constexpr std::string_view kChunked =
    "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;note=1\r\nhello\r\nA\r\n, everyone\r\n0\r\nTrailer: 1\r\n\r\n";

TEST(HttpReply, ReadsWhateverThePieces) {
  for (size_t step = 1; step < 120; ++step) {
    HttpReply sized;
    ASSERT_TRUE(take_all(sized, kSized, step).ok()) << step;
    EXPECT_TRUE(sized.done());
    EXPECT_EQ(sized.status(), 200);
    EXPECT_EQ(sized.body(), "hello");
    EXPECT_TRUE(sized.keep_alive());
    EXPECT_EQ(sized.field("x-thing"), "a:b");
    EXPECT_EQ(sized.field("thing"), "");

    HttpReply chunked;
    ASSERT_TRUE(take_all(chunked, kChunked, step).ok()) << step;
    EXPECT_TRUE(chunked.done());
    EXPECT_EQ(chunked.status(), 503);
    EXPECT_EQ(chunked.body(), "hello, everyone");
  }
}

TEST(HttpReply, StopsAtItsEnd) {
  HttpReply reply;
  const auto taken = reply.take(std::string(kSized) + "HTTP/1.1 200");
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(*taken, kSized.size());
  EXPECT_TRUE(reply.done());
}

TEST(HttpReply, CountsTheBodyButKeepsLittle) {
  HttpReply reply(3);
  ASSERT_TRUE(take_all(reply, kSized, 100).ok());
  EXPECT_EQ(reply.body(), "hel");
  EXPECT_EQ(reply.body_size(), 5U);
}

TEST(HttpReply, IsUsedAgain) {
  HttpReply reply;
  ASSERT_TRUE(take_all(reply, kChunked, 7).ok());
  reply.reset();
  EXPECT_FALSE(reply.started());
  ASSERT_TRUE(take_all(reply, kSized, 7).ok());
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body(), "hello");
}

TEST(HttpReply, PassesInterimRepliesBy) {
  HttpReply reply;
  ASSERT_TRUE(take_all(reply, "HTTP/1.1 100 Continue\r\n\r\n" + std::string(kSized), 11).ok());
  EXPECT_EQ(reply.status(), 200);
  EXPECT_EQ(reply.body(), "hello");
}

TEST(HttpReply, KnowsWhenTheConnectionEnds) {
  HttpReply last;
  ASSERT_TRUE(
      take_all(last, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 9).ok());
  EXPECT_TRUE(last.done());
  EXPECT_FALSE(last.keep_alive());

  HttpReply open_ended;
  ASSERT_TRUE(take_all(open_ended, "HTTP/1.1 200 OK\r\n\r\nsome", 9).ok());
  EXPECT_FALSE(open_ended.done());
  EXPECT_TRUE(open_ended.closed().ok());
  EXPECT_TRUE(open_ended.done());
  EXPECT_FALSE(open_ended.keep_alive());

  HttpReply cut;
  ASSERT_TRUE(take_all(cut, kSized.substr(0, kSized.size() - 1), 9).ok());
  EXPECT_THAT(std::string(base::message(cut.closed())), HasSubstr("inside a reply"));
  EXPECT_THAT(std::string(base::message(HttpReply().closed())), HasSubstr("without a reply"));

  HttpReply without_body;
  ASSERT_TRUE(take_all(without_body, "HTTP/1.1 204 No Content\r\n\r\n", 9).ok());
  EXPECT_TRUE(without_body.done());
}

TEST(HttpReply, RefusesWhatIsNotHttp) {
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200\r\nNo colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
    for (const size_t step : {size_t{1}, size_t{1000}}) {
      HttpReply reply;
      EXPECT_FALSE(take_all(reply, text, step).ok()) << text;
    }
  }
  HttpReply endless;
  EXPECT_FALSE(take_all(endless, "HTTP/1.1 200 OK\r\nA: " + std::string(70000, 'a'), 1000).ok());
}

}  // namespace
}  // namespace supernova::bench
