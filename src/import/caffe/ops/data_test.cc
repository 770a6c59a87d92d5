#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::ElementsAre;
using testing::HasSubstr;

TEST(CaffeData, SilenceTakesABlobAway) {
  const std::string net = input_layer("data", {1, 2}) +
                          "layer { name: \"s\" type: \"Split\" bottom: \"data\" top: \"a\" top: "
                          "\"b\" } layer { name: \"q\" type: \"Silence\" bottom: \"b\" }";
  const auto got = run_net(net, {}, {float_tensor("data", {1, 2}, {1, 2})});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->size(), 1);
  EXPECT_THAT(numbers(got, "a"), ElementsAre(1, 2));
}

TEST(CaffeData, LossesAndAccuracyAreLeftOut) {
  const std::string net = net_of({1, 2}, "Softmax") +
                          "layer { name: \"acc\" type: \"Accuracy\" bottom: \"out\" bottom: "
                          "\"label\" top: \"accuracy\" }"
                          "layer { name: \"loss\" type: \"FocalLoss\" bottom: \"out\" bottom: "
                          "\"label\" top: \"l\" }";
  const auto model = import_net(net);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->description.outputs.size(), 1);
  EXPECT_EQ(model->description.outputs[0].name, "out");
  EXPECT_THAT(model->description.notes, ElementsAre(HasSubstr("left out: acc, loss")));
}

TEST(CaffeData, DataLayersAreRefusedWithTheRemedy) {
  for (const char* type : {"Data", "ImageData", "HDF5Data", "DummyData"}) {
    EXPECT_THAT(refusal(base::str_cat("layer { name: \"d\" type: \"", type, "\" top: \"data\" } ",
                                      "layer { name: \"r\" type: \"ReLU\" bottom: \"data\" top: "
                                      "\"out\" }")),
                HasSubstr("deploy.prototxt"));
  }
}

// The program brings the data, so it is an input; what labels are for is left out.
TEST(CaffeData, MemoryDataIsAnInput) {
  const std::string net =
      "layer { name: \"d\" type: \"MemoryData\" top: \"data\" top: \"label\" memory_data_param { "
      "batch_size: 1 channels: 2 height: 1 width: 3 } transform_param { scale: 0.5 } }"
      "layer { name: \"r\" type: \"ReLU\" bottom: \"data\" top: \"out\" }"
      "layer { name: \"loss\" type: \"EuclideanLoss\" bottom: \"out\" bottom: \"label\" top: \"l\" "
      "}";
  const auto got = run_net(net, {}, {float_tensor("data", {1, 2, 1, 3}, {-1, 2, 3, -4, 5, 6})});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->size(), 1);
  EXPECT_THAT(numbers(got, "out"), ElementsAre(0, 2, 3, 0, 5, 6));
  EXPECT_THAT(refusal("layer { name: \"d\" type: \"MemoryData\" top: \"data\" }"
                      "layer { name: \"r\" type: \"ReLU\" bottom: \"data\" top: \"out\" }"),
              HasSubstr("input 'data' has a size of 0"));
}

TEST(CaffeData, EveryLayerThatCannotBeHadIsNamed) {
  const std::string net = net_of({1, 2}, "Python") +
                          "layer { name: \"f\" type: \"Filter\" bottom: \"data\" top: \"x\" }"
                          "layer { name: \"after\" type: \"ReLU\" bottom: \"out\" top: \"y\" }"
                          "layer { name: \"m\" type: \"MyLayer\" bottom: \"data\" top: \"z\" }";
  const std::string message = refusal(net);
  EXPECT_THAT(message, HasSubstr("Python"));
  EXPECT_THAT(message, HasSubstr("'f'"));
  EXPECT_THAT(message, HasSubstr("MyLayer"));
  EXPECT_THAT(message, testing::Not(HasSubstr("'after'")));  // fails for what stands before it
}

}  // namespace
}  // namespace supernova::import::caffe
