#include "engine/ask_engines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_engine.h"

namespace supernova::engine {
namespace {

using device::Device;
using device::DeviceState;
using ::testing::HasSubstr;

// Drives NVIDIA's devices and no others.
int32_t drives_nvidia(sn_engine*, const sn_artefact* artefact, const sn_device* device,
                      const sn_options*, sn_verdict* verdict, sn_error*) {
  const bool drives = artefact == nullptr && device->kind == SN_DEVICE_NVIDIA;
  verdict->compatibility = drives ? SN_CAN_RUN : SN_CAN_NOT_RUN;
  verdict->reason = drives ? nullptr : "the provider is not installed; npm install it";
  return SN_OK;
}
const sn_model_info* no_model(sn_model*) { return nullptr; }
int32_t no_run(sn_instance*, const sn_run*, sn_error*) { return SN_UNIMPLEMENTED; }
const sn_engine_api* entry(uint32_t) {
  static const sn_engine_api api = [] {
    sn_engine_api table = testing_support::fake_engine_table(&no_model, &no_run);
    table.can_run = &drives_nvidia;
    return table;
  }();
  return &api;
}

Device made(sn_device_kind kind, std::string engine) {
  Device device;
  device.abi_kind = kind;
  device.kind = device::device_kind_name(kind);
  device.engine = std::move(engine);
  return device;
}

class AskEnginesTest : public ::testing::Test {
 protected:
  AskEnginesTest() { engines_.add_builtin("fake", &entry); }
  Device asked(Device device) {
    std::vector<Device> devices{std::move(device)};
    ask_engines(engines_, devices);
    return devices.front();
  }
  Catalogue engines_;
};

TEST_F(AskEnginesTest, TheReasonOfTheEngineIsWhatIsMissing) {
  const Device device = asked(made(SN_DEVICE_AMD, "fake"));
  EXPECT_EQ(device.state, DeviceState::kUnusable);
  EXPECT_EQ(device.missing,
            "the engine fake can't drive it yet: the provider is not installed; npm install it");
  EXPECT_EQ(asked(made(SN_DEVICE_NVIDIA, "fake")).state, DeviceState::kUsable);
}

TEST_F(AskEnginesTest, WhatAProbeFoundStays) {
  Device device = made(SN_DEVICE_NVIDIA, "fake");
  device.state = DeviceState::kUnusable;
  device.missing = "no driver";
  EXPECT_EQ(asked(device).missing, "no driver");
  device.abi_kind = SN_DEVICE_AMD;
  EXPECT_THAT(asked(device).missing, HasSubstr("no driver; the engine fake can't"));
  device.state = DeviceState::kNotAnswering;
  EXPECT_EQ(asked(device).state, DeviceState::kNotAnswering);
}

TEST_F(AskEnginesTest, AnEngineThatIsNotHereAndOneThatStepsIn) {
  const Device missing = asked(made(SN_DEVICE_EDGETPU, "tflite"));
  EXPECT_EQ(missing.state, DeviceState::kUnusable);
  EXPECT_THAT(missing.missing, HasSubstr("no engine 'tflite' here; there is: fake"));
  EXPECT_EQ(asked(made(SN_DEVICE_NVIDIA, "tflite")).engine, "fake");
  Device undriven = made(SN_DEVICE_NVIDIA, "");
  undriven.state = DeviceState::kUnusable;
  undriven.missing = undriven.no_engine = "no engine";
  EXPECT_EQ(asked(undriven).state, DeviceState::kUsable);
  EXPECT_EQ(asked(undriven).missing, "");
  // What else is missing stays.
  undriven.missing = "its node; no engine";
  EXPECT_EQ(asked(undriven).engine, "fake");
  EXPECT_EQ(asked(undriven).state, DeviceState::kUnusable);
  EXPECT_EQ(asked(undriven).missing, "its node");
}

}  // namespace
}  // namespace supernova::engine
