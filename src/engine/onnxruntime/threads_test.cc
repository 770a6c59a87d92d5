// Threads that the runtime starts for a model.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace supernova::engine::onnxruntime
