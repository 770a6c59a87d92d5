#include "engine/onnxruntime/providers/try_device.h"

#include <gtest/gtest.h>

#include "engine/onnxruntime/model.h"
#include "engine/onnxruntime/providers/placement.h"

namespace supernova::engine::onnxruntime {
namespace {

// On a device: tests/conformance/onnx_providers_test.cc.
TEST(TryDevice, TheTrialIsOneAdditionThatRunsAsItIs) {
  const auto runtime = load_runtime();
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const std::string bytes = trial_model();
  sn_artefact artefact{};
  artefact.size = sizeof(artefact);
  artefact.format = kFormat;
  artefact.data = bytes.data();
  artefact.data_size = bytes.size();
  const auto model = Model::open(**runtime, artefact, {{kRecordPlacement, "1"}});
  ASSERT_TRUE(model.ok()) << model.status();
  const auto nodes = read_placement((*model)->session(), "");
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->size(), 1U);
  EXPECT_EQ((*nodes)[0].op, "Add");
  const base::Status status = (*model)->run_on_zeros();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
