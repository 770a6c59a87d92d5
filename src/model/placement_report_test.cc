#include "model/placement_report.h"

#include <gtest/gtest.h>

namespace supernova::model {
namespace {

TEST(PlacementReport, WhatCouldNotBeOpenedRunsNowhere) {
  PlacementReport report;
  report.operators = {{"Add", 2}};
  InstanceReport instance;
  instance.device = "vulkan:0";
  instance.sessions = 1;
  ASSERT_EQ(operators_of(report, instance).size(), 1U);
  EXPECT_EQ(operators_of(report, instance)[0].where, "vulkan:0");
  instance.sessions = 0;
  EXPECT_EQ(operators_of(report, instance).size(), 1U) << "as it is planned";
  report.failure = "strict_device: ...";
  EXPECT_TRUE(operators_of(report, instance).empty());
  instance.sessions = 1;  // it was another that failed
  EXPECT_EQ(operators_of(report, instance).size(), 1U);
}

}  // namespace
}  // namespace supernova::model
