#include "engine/onnxruntime/choose_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/onnx_models.h"
#include "support/onnx_threads.h"

namespace supernova::engine::onnxruntime {
namespace {

using ::testing::HasSubstr;

TEST(ChooseThreads, DoubtsQuickRunsOnly) {
  EXPECT_EQ(judge(std::nullopt), Threads::kAll);
  EXPECT_EQ(judge(RunTime(50000)), Threads::kAll);
  EXPECT_EQ(judge(RunTime(300)), Threads::kTryOne);
  EXPECT_EQ(judge(RunTime(3)), Threads::kOne);
}

TEST(ChooseThreads, TakesThreadsThatGainATenth) {
  EXPECT_EQ(judge(RunTime(130), RunTime(227)), Threads::kAll);
  EXPECT_EQ(judge(RunTime(309), RunTime(225)), Threads::kOne);
  EXPECT_EQ(judge(RunTime(95), RunTime(100)), Threads::kOne);
  EXPECT_EQ(judge(RunTime(130), std::nullopt), Threads::kAll);
}

struct Opened {
  int threads = 0;  // that there are more
  std::string log;
};

Opened open(const std::string& content, const Options& options, int budget) {
  Opened opened;
  sn_host host{};
  host.size = sizeof(host);
  host.ctx = &opened.log;
  host.log = [](void* ctx, int32_t level, const char* message) {
    if (level > 0) *static_cast<std::string*>(ctx) += message;
  };
  add_log_host(&host);
  opened.threads = testing_support::threads_of_model(
      content, [&](const Runtime& runtime, const sn_artefact& artefact) {
        return open_with_threads_that_pay(runtime, artefact, options, budget);
      });
  remove_log_host(&host);
  return opened;
}

// A product of this many rows, 1024 columns.
std::string product(int64_t rows, const char* open_axis = nullptr) {
  using test::OnnxType;
  test::Graph graph;
  graph.input("a", OnnxType::kFloat, {rows, 1024})
      .input("b", OnnxType::kFloat, {1024, open_axis != nullptr ? test::Dim(open_axis) : 1024})
      .output("y", OnnxType::kFloat, {rows, open_axis != nullptr ? test::Dim(open_axis) : 1024})
      .node("MatMul", {"a", "b"}, {"y"});
  return test::onnx_model(graph);
}

TEST(ChooseThreads, TinyModelsGetOneAndTheLogSaysSo) {
  const Opened opened = open(test::mlp_model(), {{"intra_op_threads", "4"}}, 0);
  EXPECT_EQ(opened.threads, 0);
  EXPECT_THAT(opened.log, HasSubstr("the model gets one"));
}

TEST(ChooseThreads, LargeOnesGetWhatTheyMayHave) {
  const Opened opened = open(product(2048), {{"intra_op_threads", "2"}}, 0);
  EXPECT_EQ(opened.threads, 1);
  EXPECT_EQ(opened.log, "");
}

TEST(ChooseThreads, NobodyIsDoubtedWhoInsists) {
  const Options options = {{"intra_op_threads", "4"}, {"session.intra_op_num_threads", "3"}};
  const Opened opened = open(test::mlp_model(), options, 0);
  EXPECT_EQ(opened.threads, 2);
  EXPECT_EQ(opened.log, "");
}

TEST(ChooseThreads, ModelsOfOpenSizesAreNotTried) {
  const Opened opened = open(product(1, "width"), {{"intra_op_threads", "2"}}, 0);
  EXPECT_EQ(opened.threads, 1);
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
