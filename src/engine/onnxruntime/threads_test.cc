// Threads that the runtime starts for a model.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include "base/usual_priority.h"
#include "engine/onnxruntime/model.h"
#include "support/onnx_models.h"
#include "support/onnx_threads.h"

namespace supernova::engine::onnxruntime {
namespace {

int threads_of_model(const Options& options, int budget) {
  return testing_support::threads_of_model(
      test::mlp_model(), [&](const Runtime& runtime, const sn_artefact& artefact) {
        return Model::open(runtime, artefact, options, budget);
      });
}

// The thread that runs the model is one of them.
TEST(Threads, StayWithinTheHostsBudget) {
  EXPECT_EQ(threads_of_model({}, 3), 0);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "0"}}, 3), 2);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "2"}}, 3), 1);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "64"}}, 3), 2);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "4"}}, 0), 3);
}

// By its number.
std::map<int, int> nice_of_threads() {
  std::map<int, int> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const int thread = std::stoi(task.path().filename().string());
    found[thread] = ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
  }
  return found;
}

// Models are loaded at low priority, and what a load starts runs them.
TEST(Threads, HaveTheUsualPriorityWhoeverOpensTheModel) {
  base::keep_usual_priority();
  const int usual = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  std::map<int, int> before;
  std::map<int, int> after;
  std::thread([&] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), usual + 5), 0);
    EXPECT_EQ(testing_support::threads_of_model(
                  test::mlp_model(),
                  [&](const Runtime& runtime, const sn_artefact& artefact) {
                    before = nice_of_threads();
                    auto model = Model::open(runtime, artefact, {{"intra_op_threads", "3"}}, 3);
                    after = nice_of_threads();
                    return model;
                  }),
              2);
  }).join();
  for (const auto& [thread, nice] : before) after.erase(thread);
  ASSERT_EQ(after.size(), 2U);
  for (const auto& [thread, nice] : after) EXPECT_EQ(nice, usual) << thread;
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
