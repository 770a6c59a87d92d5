#include "engine/onnxruntime/providers/libraries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace supernova::engine::onnxruntime {
namespace {

using testing::Contains;
using testing::HasSubstr;
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

TEST(Libraries, SaysWhyAFileCanNotBeLoaded) {
  EXPECT_EQ(why_no_library("/proc/self/exe"), "");
  EXPECT_EQ(why_no_library("/tmp"), "it is a folder");
  EXPECT_EQ(why_no_library("/nowhere"), "it can't be read: No such file or directory");
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string bytes(100'000, '\0');
  self.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "library.so";
  const auto why = [&](const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
    return why_no_library(file);
  };
  EXPECT_EQ(why(""), "it is no shared library");
  EXPECT_EQ(why("\x7f"
                "ELF"),
            "it is no shared library");
  EXPECT_EQ(why(std::string(100, 'x')), "it is no shared library");
  EXPECT_THAT(why(bytes), HasSubstr("its end is missing"));
  bytes[18] = 8;  // e_machine: MIPS
  bytes[19] = 0;
  EXPECT_THAT(why(bytes), HasSubstr("it is built for another processor (ELF machine 8), not for "));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
