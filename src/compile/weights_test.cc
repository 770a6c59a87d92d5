// Models whose weights lie apart from them, as of more than 2 GiB: here by option, at any size.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>

#include "compile/cached_provider.h"
#include "compile/test_provider_options.h"
#include "compile/weights_place.h"
#include "support/run_import.h"
#include "support/tflite_builder.h"

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;

constexpr int32_t kInputs = 64;
constexpr int32_t kOutputs = 300;

// y = W x, where row i of W is all i + 1.
std::string dense_model() {
  std::vector<float> weights;
  for (int32_t row = 0; row < kOutputs; ++row) {
    weights.insert(weights.end(), kInputs, static_cast<float>(row + 1));
  }
  test::TfModel model;
  const int32_t x = model.input({test::TfType::kFloat32, {1, kInputs}});
  const int32_t w = model.constant({kOutputs, kInputs}, weights);
  const int32_t y = model.tensor({test::TfType::kFloat32, {1, kOutputs}});
  model.set_outputs({model.op("FULLY_CONNECTED", {x, w, -1}, {y})});
  return model.file();
}

class WeightsApart : public ::testing::Test {
 protected:
  WeightsApart() : file_(folder_.write("models/dense.tflite", dense_model())) {
    options_ = test_provider_options(folder_.path() / "cache");
    start();
  }

  // As a program does that starts anew.
  void start() {
    provider_.reset();
    importers_ = std::make_unique<import::ImporterRegistry>();
    import::register_importers(*importers_);
    engines_ = std::make_unique<engine::Catalogue>();
    engine::register_builtin_engines(*engines_);
    provider_ = std::make_unique<CachedProvider>(*importers_, *engines_);
    provider_->configure(options_);
  }
  base::Result<tensor::ImportedModel> provide(const std::string& from = "1") {
    return provider_->provide(file_, {{"external_data_from", from}});
  }
  static void expect_right_numbers(const tensor::ImportedModel& model) {
    const auto outputs = test::run_artefact(
        model.artefact, {test::float_tensor(model.description.inputs.at(0).name, {1, kInputs},
                                            std::vector<float>(kInputs, 0.5F))});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    const auto* found = reinterpret_cast<const float*>(outputs->at(0).buffer.data());
    for (int32_t i = 0; i < kOutputs; ++i) {
      ASSERT_EQ(found[i], static_cast<float>(i + 1) * kInputs / 2);
    }
  }
  size_t files_in_cache(const std::string& prefix, const std::string& suffix) const {
    size_t found = 0;
    for (const auto& entry : fs::directory_iterator(options_.cache_folder)) {
      const std::string name = entry.path().filename().string();
      found += name.starts_with(prefix) && name.ends_with(suffix) ? 1 : 0;
    }
    return found;
  }

  test::ScratchFolder folder_;
  std::string file_;
  ProviderOptions options_;
  std::unique_ptr<import::ImporterRegistry> importers_;
  std::unique_ptr<engine::Catalogue> engines_;
  std::unique_ptr<CachedProvider> provider_;
};

TEST_F(WeightsApart, AreReadFromTheCache) {
  for (const bool imported : {true, false}) {
    const auto model = provide();
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(provider_->worker_counters().done, imported ? 1U : 0U);
    EXPECT_EQ(model->artefact.path, options_.cache_folder);
    EXPECT_LT(model->artefact.bytes.size(), 2000U);
    EXPECT_EQ(model->artefact.weights.size(), sizeof(float) * kInputs * kOutputs);
    expect_right_numbers(*model);
    start();
  }
  EXPECT_EQ(files_in_cache("draft-", ""), 0U);
}

TEST_F(WeightsApart, OnlyWhereTheModelIsLarge) {
  const auto model = provide("1000000");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->artefact.weights.size(), 0U);
  expect_right_numbers(*model);
}

TEST_F(WeightsApart, AreNotPrepared) {
  const auto model = provide();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FALSE(provider_->prepare(*model, "onnxruntime", {{"prepare", "always"}}));
  EXPECT_EQ(provider_->worker_counters().done, 1U);
}

TEST_F(WeightsApart, NothingTooLargeIsPrepared) {
  options_.prepare_below = 1000;
  start();
  const auto model = provide("1000000");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FALSE(provider_->prepare(*model, "onnxruntime", {}));
  EXPECT_EQ(provider_->worker_counters().done, 1U);
}

TEST_F(WeightsApart, StayWhileTheyAreInUse) {
  options_.cache_bytes = 120'000;  // room for one
  start();
  auto first = provide();
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(files_in_cache("", ".entry"), 2U);  // and what its sources were called
  auto second = provide("2");
  ASSERT_TRUE(second.ok()) << second.status();
  expect_right_numbers(*first);
  expect_right_numbers(*second);
  // Nobody holds it any more: it goes for the next one.
  const size_t before = provider_->cache_counters().evictions;
  first = absl::UnknownError("gone");
  ASSERT_TRUE(provide("3").ok());
  EXPECT_GT(provider_->cache_counters().evictions, before);
  expect_right_numbers(*second);
}

TEST_F(WeightsApart, StayInADraftWhereTheCacheIsTooSmall) {
  options_.cache_bytes = 10'000;
  start();
  auto model = provide();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(files_in_cache("draft-", ""), 1U);
  expect_right_numbers(*model);
  model = absl::UnknownError("gone");
  EXPECT_EQ(files_in_cache("draft-", ""), 0U);
}

TEST_F(WeightsApart, NeedAPlaceOnDisk) {
  options_.cache_bytes = 0;
  start();
  const auto model = provide();
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(base::message(model.status()).find("--cache-dir"), std::string_view::npos)
      << model.status();
}

TEST_F(WeightsApart, ADamagedEntryIsMadeAgain) {
  ASSERT_TRUE(provide().ok());
  for (const auto& entry : fs::directory_iterator(options_.cache_folder)) {
    if (entry.file_size() < 60'000) continue;
    fs::permissions(entry.path(), fs::perms::owner_all);
    fs::resize_file(entry.path(), entry.file_size() - 1);
  }
  start();
  const auto again = provide();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(provider_->worker_counters().done, 1U);
  EXPECT_EQ(provider_->cache_counters().damaged, 1U);
  expect_right_numbers(*again);
}

TEST(PlaceWeights, KeepsTheSizeOfTheModel) {
  for (size_t size = 1; size <= tensor::kWeightsPlace.size(); ++size) {
    tensor::Artefact artefact;
    artefact.bytes = tensor::Buffer::copy_of(base::str_cat("<", tensor::kWeightsPlace, ">"));
    const std::string name(size, 'x');
    const base::Status status = place_weights(artefact, base::str_cat("/cache/", name), nullptr);
    if (size + 1 == tensor::kWeightsPlace.size()) {  // there is no way to name it
      EXPECT_FALSE(status.ok());
      continue;
    }
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(artefact.path, "/cache");
    const std::string written(artefact.bytes.view());
    EXPECT_EQ(written.size(), tensor::kWeightsPlace.size() + 2);
    EXPECT_EQ(fs::path(written.substr(1, written.size() - 2)).lexically_normal(), name) << written;
  }
  tensor::Artefact artefact;
  const std::string name(tensor::kWeightsPlace.size() + 1, 'x');
  EXPECT_FALSE(place_weights(artefact, name, nullptr).ok());
}

TEST(PlaceWeights, HoldsWhatKeepsThem) {
  auto keeper = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = keeper;
  tensor::Artefact artefact;
  artefact.weights = tensor::Buffer::copy_of(std::string_view("weights"));
  ASSERT_TRUE(place_weights(artefact, "x", std::move(keeper)).ok());
  tensor::Artefact copy = artefact;
  artefact = {};
  EXPECT_FALSE(watched.expired());
  EXPECT_EQ(copy.weights.view(), "weights");
  copy = {};
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace supernova::compile
