#include "model/reshape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::model {
namespace {

using tensor::Shape;
using ::testing::ElementsAre;

TEST(ReshapeTest, NeedsTheSameElementsBetweenTheSameUnknowns) {
  const auto fits = [](const Shape& from, const Shape& to) {
    return check_reshape(from, to).ok() && check_reshape(to, from).ok();
  };
  EXPECT_TRUE(fits({-1, 1}, {-1}));
  EXPECT_TRUE(fits({-1, 2, 5}, {-1, 10}));
  EXPECT_TRUE(fits({-1, 4, -1, 6}, {-1, 2, 2, -1, 6, 1}));
  EXPECT_TRUE(fits({}, {1, 1}));
  EXPECT_FALSE(fits({-1, 4, -1, 6}, {-1, 6, -1, 4}));
  EXPECT_FALSE(fits({-1}, {1}));
  EXPECT_FALSE(fits({3}, {4}));
  EXPECT_FALSE(fits({int64_t{1} << 40, int64_t{1} << 40}, {1}));
}

TEST(ReshapeTest, PutsTheSizesInTheirPlaces) {
  const auto change = [](const Shape& actual, const Shape& from, const Shape& to) {
    return reshaped(actual, from, to);
  };
  EXPECT_THAT(*change({7, 1}, {-1, 1}, {-1}), ElementsAre(7));
  EXPECT_THAT(*change({7, 4, 9, 6}, {-1, 4, -1, 6}, {-1, 2, 2, -1, 6}), ElementsAre(7, 2, 2, 9, 6));
  EXPECT_FALSE(change({7, 2}, {-1, 1}, {-1}).ok());
  EXPECT_FALSE(change({7}, {-1, 1}, {-1}).ok());
  EXPECT_FALSE(change({7}, {-1}, {1}).ok());
}

}  // namespace
}  // namespace supernova::model
