#include "import/wire/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace supernova::import::wire {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class ModelFolderTest : public ::testing::Test {
 protected:
  ModelFolderTest() { fs::create_directories(folder_); }
  ~ModelFolderTest() override { fs::remove_all(folder_); }
  void add(const std::string& name) const { std::ofstream(folder_ / name) << "x"; }
  std::string at(const std::string& name) const { return folder_ / name; }
  const fs::path folder_ = fs::path(testing::TempDir()) / ("folder-" + std::to_string(::getpid()));
};

TEST_F(ModelFolderTest, FindsTheFilesThatAreClaimedInOrder) {
  for (const char* name : {"b.onnx", "a.onnx", "notes.txt"}) add(name);
  fs::create_directory(folder_ / "c.onnx");
  const auto is_onnx = [](const std::string& path) { return path.ends_with(".onnx"); };
  EXPECT_THAT(files_in(folder_, is_onnx), ElementsAre(at("a.onnx"), at("b.onnx")));
  EXPECT_TRUE(files_in(folder_ / "none", is_onnx).empty());
}

TEST_F(ModelFolderTest, AHugeFolderIsLookedThroughInPart) {
  add("0");
  for (size_t i = 1; i < kMostEntries + 2; ++i) {
    fs::create_hard_link(folder_ / "0", folder_ / std::to_string(i));
  }
  size_t asked = 0;
  EXPECT_TRUE(files_in(folder_, [&](const std::string&) { return ++asked, false; }).empty());
  EXPECT_EQ(asked, kMostEntries);
}

}  // namespace
}  // namespace supernova::import::wire
