#include "import/caffe/recognise.h"

#include <filesystem>

#include "import/caffe/test_case.h"

namespace supernova::import::caffe {
namespace {

using namespace testing_;  // NOLINT
using testing::HasSubstr;
using testing::IsEmpty;

std::string inner_product() {
  return net_of({1, 2}, "InnerProduct", "inner_product_param { num_output: 1 bias_term: false }");
}
std::string weights_of(float factor) { return caffemodel({{"op", {{{1, 2}, {factor, 0}}}}}); }

class CaffeFiles : public testing::Test {
 protected:
  // The first number of the model at `path`, for a one; NaN and a failure where it can't be had.
  float run(const std::string& path, const tensor::Options& options = {}) {
    const auto outputs =
        test::run_path(*importer_, path, {float_tensor("data", {1, 2}, {1, 0})}, options);
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    return outputs.ok() ? test::values_of<float>(outputs->at(0)).at(0) : NAN;
  }
  std::string error(const std::string& path, const tensor::Options& options = {}) {
    const auto model = test::import_path(*importer_, path, options);
    return model.ok() ? "imported" : std::string(base::message(model.status()));
  }
  std::string folder() const { return folder_.path().string(); }

  test::ScratchFolder folder_;
  std::unique_ptr<Importer> importer_ = make_importer();
};

TEST_F(CaffeFiles, FolderNetAndWeightsMeanTheSame) {
  const std::string net = folder_.write("m.prototxt", inner_product());
  const std::string weights = folder_.write("m.caffemodel", weights_of(3));
  EXPECT_EQ(run(folder()), 3);
  EXPECT_EQ(run(net), 3);
  EXPECT_EQ(run(weights), 3);
}

TEST_F(CaffeFiles, NamesNeedNotMatchWhereThereIsOneOfEach) {
  folder_.write("deploy.prototxt", inner_product());
  folder_.write("bvlc_iter_5000.caffemodel", weights_of(4));
  folder_.write("solver.prototxt", "net: \"train_val.prototxt\" base_lr: 0.1 max_iter: 5");
  folder_.write("labels.txt", "cat\ndog\n");
  EXPECT_EQ(run(folder()), 4);
}

TEST_F(CaffeFiles, TheNetForUseIsPreferredToTheNetForTraining) {
  folder_.write("train_val.prototxt",
                "layer { name: \"d\" type: \"Data\" top: \"data\" }" + inner_product());
  folder_.write("deploy.prototxt", inner_product());
  folder_.write("snapshot.caffemodel", weights_of(5));
  EXPECT_EQ(run(folder()), 5);
}

TEST_F(CaffeFiles, WeightsAreFoundByTheNetsName) {
  folder_.write("age_deploy.prototxt", inner_product());
  folder_.write("age.caffemodel", weights_of(6));
  folder_.write("gender.caffemodel", weights_of(7));
  EXPECT_EQ(run(folder()), 6);
}

TEST_F(CaffeFiles, OptionsNameTheOtherFile) {
  const std::string net = folder_.write("x.prototxt", inner_product());
  folder_.write("a.caffemodel", weights_of(6));
  const std::string other = folder_.write("b.caffemodel", weights_of(7));
  EXPECT_THAT(error(net), HasSubstr("several weights lie beside x.prototxt (a.caffemodel, "
                                    "b.caffemodel); name yours with option weights=FILE"));
  EXPECT_EQ(run(net, {{"weights", "b.caffemodel"}}), 7);
  EXPECT_EQ(run(other, {{"prototxt", "x.prototxt"}}), 7);
  EXPECT_THAT(error(net, {{"weights", "none.caffemodel"}}), HasSubstr("which is not a file"));
}

TEST_F(CaffeFiles, ALoneFileSaysWhatIsMissing) {
  const std::string weights = folder_.write("m.caffemodel", weights_of(1));
  EXPECT_THAT(error(weights), HasSubstr("put the net's description, deploy.prototxt, beside it"));
  std::filesystem::remove(weights);
  EXPECT_THAT(error(folder_.write("m.prototxt", inner_product())), HasSubstr("InnerProduct 'op'"));
  EXPECT_THAT(error(folder()), HasSubstr("no .caffemodel beside the net"));
}

TEST_F(CaffeFiles, SeveralNetsInAFolderAreNamed) {
  folder_.write("a.prototxt", inner_product());
  folder_.write("b.prototxt", inner_product());
  folder_.write("c.caffemodel", weights_of(1));
  EXPECT_THAT(error(folder()), HasSubstr("several nets (a.prototxt, b.prototxt)"));
}

TEST_F(CaffeFiles, DamagedFilesAreRefusedWithFileAndPlace) {
  const std::string net = folder_.write("m.prototxt", "layer {\n name \"x\" }");
  const std::string weights = folder_.write("m.caffemodel", weights_of(1).substr(0, 20));
  EXPECT_THAT(error(net), HasSubstr("m.prototxt:2:7: expected ':' or '{'"));
  folder_.write("m.prototxt", inner_product());
  EXPECT_THAT(error(weights), HasSubstr("m.caffemodel: truncated at byte 20"));
  folder_.write("s.prototxt", "net: \"a\" base_lr: 1");
  EXPECT_THAT(error(folder() + "/s.prototxt"), HasSubstr("a solver"));
}

TEST_F(CaffeFiles, OtherFormatsAreNotOurs) {
  const auto recognised = [&](const std::string& name, const std::string& content) {
    return importer_->recognise(folder_.write(name, content));
  };
  EXPECT_THAT(recognised("config.pbtxt",
                         "platform: \"onnx\" max_batch_size: 4 input [ { name: "
                         "\"x\" dims: [ 1 ] } ]"),
              IsEmpty());
  EXPECT_THAT(
      recognised("graph.pbtxt", "node { name: \"x\" op: \"Const\" } versions { producer: 1 }"),
      IsEmpty());
  EXPECT_THAT(recognised("model.txt", "ir_version: 8 graph { node { op_type: \"Relu\" } }"),
              IsEmpty());
  EXPECT_THAT(recognised("labels.txt", "cat\ndog\n"), IsEmpty());
  EXPECT_THAT(recognised("labelmap.prototxt", "item { name: \"cat\" label: 1 }"), IsEmpty());
  EXPECT_THAT(recognised("symbol.json", "{\"nodes\": []}"), IsEmpty());
  EXPECT_THAT(recognised("empty.prototxt", ""), IsEmpty());
  EXPECT_THAT(importer_->recognise(folder()), IsEmpty());
  EXPECT_THAT(importer_->recognise(folder() + "/none"), IsEmpty());
}

}  // namespace
}  // namespace supernova::import::caffe
