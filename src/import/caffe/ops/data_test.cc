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
  for (const char* type : {"Data", "ImageData", "HDF5Data", "MemoryData", "DummyData"}) {
    EXPECT_THAT(refusal(base::str_cat("layer { name: \"d\" type: \"", type, "\" top: \"data\" } ",
                                      "layer { name: \"r\" type: \"ReLU\" bottom: \"data\" top: "
                                      "\"out\" }")),
                HasSubstr("deploy.prototxt"));
  }
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
