#include "protocol/http/event_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace supernova::protocol::http {
namespace {

struct CountingWatcher final : EventLoop::Watcher {
  void ready(uint32_t) override { ++told; }
  int told = 0;
};

// As in a process that is started meanwhile: the descriptor lives on as a copy.
TEST(EventLoop, WhatIsForgottenIsNotToldThoughACopyIsOpen) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EventLoop loop;
  CountingWatcher watcher;
  ASSERT_TRUE(loop.watch(ends[0], watcher));
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  loop.turn(false);
  EXPECT_EQ(watcher.told, 1);
  const int copy = ::dup(ends[0]);
  loop.forget(ends[0]);
  ::close(ends[0]);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  ::close(ends[1]);
  loop.turn(false);
  EXPECT_EQ(watcher.told, 1);
  ::close(copy);
}

}  // namespace
}  // namespace supernova::protocol::http
