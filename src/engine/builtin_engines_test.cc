// The engines that are built in, as they are registered.
#include <gtest/gtest.h>

#include "engine/catalogue.h"

namespace supernova::engine {
namespace {

TEST(BuiltinEngines, TakeTheFormatsThatTheyAreRegisteredWith) {
  Catalogue catalogue;
  register_builtin_engines(catalogue);
  ASSERT_FALSE(catalogue.names().empty());
  for (const std::string& name : catalogue.names()) {
    const auto known = catalogue.known_formats(name);
    ASSERT_TRUE(known.has_value()) << name << " would be opened for models of any format";
    const auto engine = catalogue.find(name);
    ASSERT_TRUE(engine.ok()) << engine.status();
    EXPECT_EQ(*known, (*engine)->formats()) << name;
  }
}

}  // namespace
}  // namespace supernova::engine
