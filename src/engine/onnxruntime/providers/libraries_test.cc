#include "engine/onnxruntime/providers/libraries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace supernova::engine::onnxruntime {
namespace {

using testing::Contains;
using testing::IsEmpty;

TEST(Libraries, ReadsWhatALibraryNeedsWithoutLoadingIt) {
  EXPECT_THAT(needed_libraries("/proc/self/exe"), Contains("libc.so.6"));
  EXPECT_TRUE(is_installed("libc.so.6"));
  EXPECT_FALSE(is_installed("libnobody.so.77"));
}

TEST(Libraries, FindsWhatLdLibraryPathNames) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "libraries";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "libnobody.so.77") << "x";
  const char* before = std::getenv("LD_LIBRARY_PATH");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("LD_LIBRARY_PATH", folder.c_str(), 1);
  EXPECT_TRUE(is_installed("libnobody.so.77"));
  ::setenv("LD_LIBRARY_PATH", kept.c_str(), 1);
  std::filesystem::remove_all(folder);
}

TEST(Libraries, WhatIsNoLibraryNeedsAndExportsNothing) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "no_library.so";
  for (const std::string& content :
       {std::string(), std::string("\x7f") + "ELF", std::string(4096, '\xff'),
        std::string("\x7f") + "ELF\x02" + std::string(4096, '\xff')}) {
    std::ofstream(file, std::ios::binary) << content;
    EXPECT_THAT(needed_libraries(file), IsEmpty());
    EXPECT_FALSE(exports(file, "CreateEpFactories"));
  }
  std::filesystem::remove(file);
  EXPECT_THAT(needed_libraries("/nowhere"), IsEmpty());
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
