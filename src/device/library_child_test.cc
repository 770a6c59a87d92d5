#include "device/library_child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::device {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Outcome = LibraryAnswer::Outcome;

// A child that is a line of shell; the probe's name is its $0.
LibraryAnswer said_by(const std::string& line, std::chrono::milliseconds limit = 20s) {
  return ask_in_child({"/bin/sh", "-c", line}, "nvidia", limit);
}

TEST(LibraryChildTest, AnAnswerCrossesThePipe) {
  const LibraryAnswer answer{
      Outcome::kAnswered, "", {{{"name", "A GPU"}, {"memory", "12"}}, {}, {{"name", "Another"}}}};
  const LibraryAnswer read = read_answer(write_answer(answer));
  EXPECT_EQ(read.outcome, Outcome::kAnswered);
  EXPECT_EQ(read.records, answer.records);
  const LibraryAnswer refused =
      read_answer(write_answer({Outcome::kRefused, "no\ndriver\x1f here", {}}));
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.reason, "nodriver here");
}

TEST(LibraryChildTest, TheProbeIsNamed) {
  const LibraryAnswer answer = said_by(R"(printf 'answered\037\nname\037%s\037\nend\n' "$0")");
  ASSERT_EQ(answer.outcome, Outcome::kAnswered) << answer.reason;
  EXPECT_EQ(answer.records.at(0).at("name"), "nvidia");
}

TEST(LibraryChildTest, OneThatHangsIsEnded) {
  const auto started = std::chrono::steady_clock::now();
  // Neither its own children nor an ignored signal keep it, nor does a closed pipe.
  for (const char* line : {"trap '' TERM; sleep 600 & wait", "exec >&-; sleep 600"}) {
    const LibraryAnswer answer = said_by(line, 200ms);
    EXPECT_EQ(answer.outcome, Outcome::kTimedOut) << line;
    EXPECT_EQ(answer.reason, "did not answer within 0.2 s");
  }
  EXPECT_LT(std::chrono::steady_clock::now() - started, 60s);
}

TEST(LibraryChildTest, OneThatCrashesIsNamedByItsSignal) {
  const LibraryAnswer answer = said_by("kill -SEGV $$");
  EXPECT_EQ(answer.outcome, Outcome::kCrashed);
  EXPECT_EQ(answer.reason, "crashed (SIGSEGV)");
  EXPECT_EQ(said_by("exit 3").reason, "ended without an answer (exit code 3)");
}

TEST(LibraryChildTest, GarbageIsNoAnswer) {
  for (const char* line : {"true", "echo hello", "printf 'answered\\037\\nname\\037x\\037\\n'",
                           "head -c 3000000 /dev/zero", "printf '\\377\\376\\n\\n\\nend\\n'"}) {
    EXPECT_EQ(said_by(line).outcome, Outcome::kCrashed) << line;
  }
}

TEST(LibraryChildTest, WhatCannotBeStartedOrAsked) {
  EXPECT_EQ(ask_in_child({"/no/such/program"}, "nvidia", 5s).outcome, Outcome::kRefused);
  EXPECT_EQ(ask_in_child({}, "nvidia", 5s).outcome, Outcome::kNotAsked);
  // This test's main does not answer for libraries.
  EXPECT_TRUE(this_program_as_child().empty());
}

}  // namespace
}  // namespace supernova::device
