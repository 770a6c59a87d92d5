// What the case files of the operators share: a model is written, imported and run.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "import/tflite/tflite_importer.h"
#include "support/run_import.h"
#include "support/tflite_builder.h"

namespace supernova::import::tflite {

using test::bytes_of;
using test::FlatTable;
using test::TfModel;
using test::TfTensor;
using test::TfType;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

inline base::Result<tensor::ImportedModel> imported(const std::string& content,
                                                    const tensor::Options& options = {}) {
  const auto kept = std::make_shared<std::string>(content);
  return import_content(*kept, kept, "model.tflite", options);
}

inline std::string refusal(const TfModel& model) {
  const auto result = imported(model.file());
  return result.ok() ? "imported" : std::string(base::message(result.status()));
}

// The first output for inputs named t0, t1, ... as the builder names tensors.
inline tensor::Tensor run(const TfModel& model, std::vector<tensor::Tensor> inputs,
                          size_t output = 0) {
  const auto result = imported(model.file());
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return {};
  auto outputs = test::run_artefact(result->artefact, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  if (!outputs.ok() || output >= outputs->size()) return {};
  return (*outputs)[output];
}

inline std::vector<float> run_floats(const TfModel& model, std::vector<tensor::Tensor> inputs,
                                     size_t output = 0) {
  return test::values_of<float>(run(model, std::move(inputs), output));
}

inline auto near(const std::vector<float>& expected, float tolerance = 1e-5F) {
  return Pointwise(FloatNear(tolerance), expected);
}

}  // namespace supernova::import::tflite
