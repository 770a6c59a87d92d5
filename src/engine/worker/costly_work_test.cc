// What uses up its worker's memory, and the priorities of threads.
#include "base/sanitized.h"
#include "base/usual_priority.h"
#include "support/worker_fixture.h"

namespace supernova::engine::worker {
namespace {

#if !SUPERNOVA_SANITIZED
TEST_F(WorkerEngine, AModelThatUsedUpTheMemoryRunsAtLowPriority) {
  open({{"worker.memory_byte_size", std::to_string(96 << 20)}, {"worker.run_timeout_ms", "500"}});
  const Opened good = load("values");
  const Opened it = load("values");
  const Answer fat = ask(*it.session, {kAllocate, 1}).get();
  EXPECT_FALSE(fat.ok());
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 2U);
  // It is known then, and not tried twice in workers that have run nothing else.
  const Answer as_fat = ask(*it.session, {kAllocate, 2}).get();
  EXPECT_FALSE(as_fat.ok());
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 3U);
  expect_through(*good.session, {1});
  EXPECT_FALSE(ask(*it.session, {kAllocate, 3}).get().ok());
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 5U);
  auto hung = ask(*it.session, {kHang, 1});
  std::optional<int> nice;
  wait_for([&] { return (nice = niceness("careful-run")).value_or(0) != 0; });
  std::optional<int> usual;
  wait_for([&] { return (usual = niceness("run")).has_value(); });
  EXPECT_EQ(*nice, std::min(*usual + 15, 19));
  wait_for([&] { return niceness("pacer").has_value(); });
  hung.wait();
  expect_through(*it.session, {1});
  wait_for([&] { return !niceness("careful-run"); });
  auto neighbour = ask(*good.session, {kHang, 2});
  EXPECT_EQ(niceness("careful-run"), std::nullopt);
  neighbour.wait();
}

// Models are loaded at low priority, and the worker that a load starts serves for long.
TEST_F(WorkerEngine, IsOfUsualPriorityWhoeverOpensIt) {
  base::keep_usual_priority();
  const int usual = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  std::thread([&] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), usual + 5), 0);
    open();
    const Opened it = load("values");
    EXPECT_TRUE(ask(*it.session, {1}, std::chrono::seconds(60)).get().ok());
    EXPECT_EQ(niceness("run"), usual);
    // It gives itself its name.
    wait_for([&] { return niceness("worker-deadline", ::getpid()).has_value(); });
    EXPECT_EQ(niceness("worker-deadline", ::getpid()), usual);
  }).join();
}

TEST_F(WorkerEngine, AModelThatUsedUpTheMemoryIsTriedBeforeItIsOpened) {
  open({{"worker.memory_byte_size", std::to_string(96 << 20)}, {"worker.load_timeout_ms", "500"}});
  const auto fat = try_load("load=allocate", "model");
  ASSERT_FALSE(fat.ok());
  EXPECT_THAT(std::string(fat.status().message()), HasSubstr("memory"));
  // It is known then, and not tried twice.
  EXPECT_FALSE(try_load("load=allocate", "model").ok());
  // It is the same model to whoever goes by the digest.
  auto hung = std::async(std::launch::async, [&] { return try_load("load=hang", "model"); });
  std::optional<int> nice;
  wait_for([&] { return (nice = niceness("careful-call")).value_or(0) != 0; });
  EXPECT_FALSE(hung.get().ok());
  const auto mended = try_load("hold_mib=40", "model");
  ASSERT_TRUE(mended.ok()) << mended.status();
  expect_through(*mended->session, {1});
  EXPECT_EQ(record()->ends(EndCause::kOutOfMemory), 3U);
}
#endif

}  // namespace
}  // namespace supernova::engine::worker
