// Threads that the runtime starts for a model.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/onnxruntime/model.h"
#include "support/onnx_models.h"

namespace supernova::engine::onnxruntime {
namespace {

// How many threads more there are once the model is open.
int threads_of_model(const Options& options, int budget) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<int>(std::distance(begin(tasks), end(tasks)));
  };
  const auto runtime = load_runtime();
  if (!runtime.ok()) return -1;
  const std::string content = test::mlp_model();
  sn_artefact artefact{};
  artefact.size = sizeof(artefact);
  artefact.format = "onnx";
  artefact.data = content.data();
  artefact.data_size = content.size();
  const int before = threads();
  const auto model = Model::open(**runtime, artefact, options, budget);
  return model.ok() ? threads() - before : -1;
}

// The thread that runs the model is one of them.
TEST(Threads, StayWithinTheHostsBudget) {
  EXPECT_EQ(threads_of_model({}, 3), 0);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "0"}}, 3), 2);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "2"}}, 3), 1);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "64"}}, 3), 2);
  EXPECT_EQ(threads_of_model({{"intra_op_threads", "4"}}, 0), 3);
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
