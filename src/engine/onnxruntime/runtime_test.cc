// Finding and loading the library; each case in a child process, because a loaded one stays.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "engine/engine.h"

namespace supernova::engine::onnxruntime {
const sn_engine_api* entry(uint32_t host_abi_version);
}

namespace supernova::engine {
namespace {

[[noreturn]] void open_with_library(const char* path) {
  setenv("SUPERNOVA_ONNXRUNTIME_LIBRARY", path, 1);
  const auto engine = Engine::open(&onnxruntime::entry, {});
  std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
  // A failure does not stick.
  unsetenv("SUPERNOVA_ONNXRUNTIME_LIBRARY");
  const auto second = Engine::open(&onnxruntime::entry, {});
  if (!second.ok()) std::fprintf(stderr, "second: %s\n", second.status().ToString().c_str());
  std::_Exit(engine.ok() || !second.ok() ? 1 : 0);
}

TEST(RuntimeDeathTest, SaysWhatIsMissing) {
  EXPECT_EXIT(open_with_library("/nowhere/libonnxruntime.so.1"), testing::ExitedWithCode(0),
              "FAILED_PRECONDITION.*/nowhere/libonnxruntime.so.1.*SUPERNOVA_ONNXRUNTIME_LIBRARY");
}

TEST(RuntimeDeathTest, RefusesALibraryThatIsSomethingElse) {
  EXPECT_EXIT(open_with_library("libm.so.6"), testing::ExitedWithCode(0),
              "libm.so.6 exports no OrtGetApiBase");
}

}  // namespace
}  // namespace supernova::engine
