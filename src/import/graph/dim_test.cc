#include "import/graph/dim.h"

#include <gtest/gtest.h>

namespace supernova::import::graph {
namespace {

TEST(Dim, Algebra) {
  const Dim n = Dim::symbol("n");
  const Dim m = Dim::symbol("m");
  EXPECT_EQ(2 * n + n, 3 * n);
  EXPECT_EQ(n * m, m * n);
  EXPECT_EQ((n + 1) * (n - 1), n * n - 1);
  EXPECT_EQ((n - n).constant(), 0);
  EXPECT_FALSE((n + 1).is_constant());
  EXPECT_EQ((2 * n + 1).to_string(), "2*n+1");
  EXPECT_EQ(n.symbol_name(), "n");
  EXPECT_EQ((n + 1).symbol_name(), "");
}

TEST(Dim, DivisionRoundsAndSimplifies) {
  const Dim n = Dim::symbol("n");
  EXPECT_EQ(floor_div(7, 2), Dim(3));
  EXPECT_EQ(floor_div(-7, 2), Dim(-4));
  EXPECT_EQ(ceil_div(7, 2), Dim(4));
  EXPECT_EQ(floor_div(4 * n + 6, 2), 2 * n + 3);
  EXPECT_EQ(floor_div(2 * n + 1, 2), n);
  EXPECT_EQ(ceil_div(2 * n + 1, 2), n + 1);
  EXPECT_EQ(floor_div(n + 5, 2), floor_div(n + 1, 2) + 2);
  EXPECT_EQ(exact_div(6 * n, 3 * n), Dim(2));
  EXPECT_FALSE(exact_div(6 * n + 1, 3));
  EXPECT_FALSE(exact_div(n, 0));
}

TEST(Dim, NothingUndefined) {
  const Dim n = Dim::symbol("n");
  // Two unknown sizes are not the same size.
  EXPECT_FALSE(floor_div(n, 0) == floor_div(n, 0));
  EXPECT_FALSE(Dim(INT64_MAX) * 2 == Dim(-2));
  EXPECT_FALSE((Dim(INT64_MAX) + 1).is_constant());
  Dim big = n;
  for (int i = 0; i < 20; ++i) big = big * (big + Dim::symbol(std::to_string(i)));
  EXPECT_FALSE(big.is_constant());
}

TEST(Dim, MaxAndMin) {
  const Dim n = Dim::symbol("n");
  EXPECT_EQ(max(n + 3, n), n + 3);
  EXPECT_EQ(min(n + 3, n), n);
  EXPECT_EQ(max(n, 3), max(3, n));
}

}  // namespace
}  // namespace supernova::import::graph
