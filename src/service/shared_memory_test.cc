#include "service/shared_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "support/client_object.h"

namespace supernova::service {
namespace {

using tensor::Buffer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing_support::ClientObject;

class SharedMemoryTest : public ::testing::Test {
 protected:
  void expect_refused(const SharedMemoryRegion& region, std::string_view text) {
    const base::Status status = memory_.add(region);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(base::message(status)), HasSubstr(std::string(text)));
  }
  void add(uint64_t offset, uint64_t size, std::string name = "r") {
    const base::Status status = memory_.add({std::move(name), object_.key(), offset, size});
    ASSERT_TRUE(status.ok()) << status;
  }

  ClientObject object_{20'000};
  SharedMemory memory_;
};

TEST_F(SharedMemoryTest, ReadsAndWritesWhatTheClientSees) {
  // Neither the region nor its parts are aligned to anything.
  add(4099, 1000);
  const auto part = memory_.part("r", 3, 100);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_TRUE(memory_.holds(*part));
  auto copy = memory_.read(*part);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(copy->view(), object_.read(4102, 100));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(copy->data()) % Buffer::kAlignment, 0U);
  EXPECT_EQ(copy->view(), part->view());

  const std::string before = object_.read(4107, 10);
  const Buffer answer = Buffer::copy_of("hello");
  ASSERT_TRUE(memory_.write(*part, answer.bytes()).ok());
  EXPECT_EQ(object_.read(4102, 5), "hello");
  EXPECT_EQ(object_.read(4107, 10), before);
  EXPECT_EQ(memory_.read(part->slice(1, 3))->view(), "ell");
}

TEST_F(SharedMemoryTest, KeysMayLackTheirSlash) {
  EXPECT_TRUE(memory_.add({"r", object_.key().substr(1), 0, 20'000}).ok());
  EXPECT_THAT(*memory_.list(""), SizeIs(1));
}

TEST_F(SharedMemoryTest, RefusesWhatIsNoRegion) {
  const std::string key = object_.key();
  expect_refused({"", key, 0, 1}, "has no name");
  expect_refused({"r", "", 0, 1}, "names no object");
  expect_refused({"r", "/", 0, 1}, "names no object");
  expect_refused({"r", "//" + key, 0, 1}, "is no name");
  expect_refused({"r", "/..", 0, 1}, "is no name");
  expect_refused({"r", "/a/../../etc/passwd", 0, 1}, "is no name");
  expect_refused({"r", std::string("/a\0b", 4), 0, 1}, "is no name");
  expect_refused({"r", "/" + std::string(300, 'a'), 0, 1}, "is no name");
  expect_refused({"r", "/triton_python_backend_shm_region_1", 0, 1}, "reserved");
  expect_refused({"r", "triton_python_backend_shm_region_1", 0, 1}, "reserved");
  expect_refused({"r", key + "_missing", 0, 1}, "Unable to open shared memory region: '" + key);
  expect_refused({"r", key, 0, 0}, "byte_size is 0");
  expect_refused({"r", key, 0, 20'001}, "beyond the end");
  expect_refused({"r", key, 20'001, 1}, "beyond the end");
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  expect_refused({"r", key, most, 2}, "beyond the end");
  expect_refused({"r", key, 4096, most - 4095}, "beyond the end");
  EXPECT_THAT(*memory_.list(""), IsEmpty());
}

TEST_F(SharedMemoryTest, ANameIsTakenOnce) {
  add(0, 10);
  const base::Status status = memory_.add({"r", object_.key(), 5, 5});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(base::message(status)), HasSubstr("'r' already in manager"));
  add(0, 10, "s");
  const auto all = memory_.list("");
  ASSERT_THAT(*all, SizeIs(2));
  EXPECT_EQ((*all)[0].byte_size, 10U);
  EXPECT_THAT(*memory_.list("s"), SizeIs(1));
  EXPECT_EQ(memory_.list("t").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SharedMemoryTest, PartsLieInsideTheirRegion) {
  add(100, 50);
  EXPECT_TRUE(memory_.part("r", 0, 50).ok());
  EXPECT_TRUE(memory_.part("r", 50, 0).ok());
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  for (const auto& [offset, size] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 51}, {50, 1}, {51, 0}, {1, most}, {most, 1}}) {
    EXPECT_EQ(memory_.part("r", offset, size).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(memory_.part("s", 0, 1).status().code(), absl::StatusCode::kNotFound);
  const SharedMemory small(16);
  EXPECT_FALSE(memory_.holds(Buffer::allocate(8)));
  EXPECT_FALSE(memory_.holds(Buffer()));
  EXPECT_FALSE(small.holds(*memory_.part("r", 0, 8)));
}

TEST_F(SharedMemoryTest, LimitsTheSizeOfATensor) {
  SharedMemory small(16);
  ASSERT_TRUE(small.add({"r", object_.key(), 0, 100}).ok());
  EXPECT_TRUE(small.part("r", 50, 16).ok());
  EXPECT_EQ(small.part("r", 50, 17).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SharedMemoryTest, PartsOutliveTheirRegion) {
  add(0, 100);
  add(0, 100, "s");
  const Buffer part = *memory_.part("r", 10, 10);
  memory_.remove("unknown");
  memory_.remove("r");
  EXPECT_EQ(memory_.part("r", 0, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(memory_.read(part)->view(), object_.read(10, 10));
  memory_.remove("");
  EXPECT_THAT(*memory_.list(""), IsEmpty());
  add(50, 100);  // also while another region has the name
  EXPECT_EQ(memory_.read(part)->view(), object_.read(10, 10));
}

TEST_F(SharedMemoryTest, AnObjectThatShrinksIsAnError) {
  add(0, 20'000);
  const Buffer part = *memory_.part("r", 10'000, 10'000);
  object_.resize(12'000);
  const auto copy = memory_.read(part);
  EXPECT_EQ(copy.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(base::message(copy.status())), HasSubstr("'r' has become smaller"));
  const std::string bytes(10'000, 'x');
  const base::Status written =
      memory_.write(part, std::as_bytes(std::span(bytes.data(), bytes.size())));
  EXPECT_EQ(written.code(), absl::StatusCode::kInvalidArgument) << written;
  EXPECT_EQ(object_.size(), 12'000U);
  EXPECT_TRUE(memory_.read(part.slice(0, 2'000)).ok());
}

// The process is still there afterwards: that is the test.
TEST_F(SharedMemoryTest, SurvivesAnObjectThatShrinksMeanwhile) {
  add(0, 20'000);
  const Buffer part = *memory_.part("r", 0, 20'000);
  const std::string bytes(20'000, 'x');
  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop) {
      object_.resize(0);
      object_.resize(20'000);
    }
  });
  for (int i = 0; i < 2'000; ++i) {
    (void)memory_.read(part);
    (void)memory_.write(part, std::as_bytes(std::span(bytes.data(), bytes.size())));
  }
  stop = true;
  client.join();
}

TEST_F(SharedMemoryTest, RegistersAndUnregistersWhileInUse) {
  std::atomic<bool> stop{false};
  std::thread operator_thread([&] {
    while (!stop) {
      (void)memory_.add({"r", object_.key(), 0, 100});
      memory_.remove("r");
    }
  });
  const std::string expected = object_.read(0, 100);
  for (int used = 0; used < 500;) {
    const auto part = memory_.part("r", 0, 100);
    if (!part.ok()) continue;
    ++used;
    const auto copy = memory_.read(*part);
    EXPECT_TRUE(copy.ok() && copy->view() == expected) << copy.status();
  }
  stop = true;
  operator_thread.join();
}

TEST_F(SharedMemoryTest, TheNumberOfRegionsIsLimited) {
  for (size_t i = 0; i < SharedMemory::kMaxRegions; ++i) {
    const base::Status status = memory_.add({base::str_cat("r", i), object_.key(), 0, 10});
    if (absl::IsResourceExhausted(status)) return;  // the process has no more descriptors
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(memory_.add({"more", object_.key(), 0, 10}).code(),
            absl::StatusCode::kResourceExhausted);
  memory_.remove("r0");
  EXPECT_TRUE(memory_.add({"more", object_.key(), 0, 10}).ok());
}

}  // namespace
}  // namespace supernova::service
