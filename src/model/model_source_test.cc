#include "model/model_source.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace supernova::model {
namespace {

namespace fs = std::filesystem;

class ModelSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("supernova-source-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void touch(const std::string& path) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << "x";
  }
  base::Result<RepositoryContent> read() {
    return sources_from_repository(folder_.string(),
                                   [](const std::string& path) { return path.ends_with(".onnx"); });
  }

  fs::path folder_;
};

TEST_F(ModelSourceTest, NamesABarePath) {
  touch("a.onnx");
  touch("dir/model.onnx");
  EXPECT_EQ(source_from_argument((folder_ / "a.onnx").string())->name, "a");
  EXPECT_EQ(source_from_argument((folder_ / "dir").string())->name, "dir");
  EXPECT_EQ(source_from_argument((folder_ / "dir").string() + "/")->name, "dir");
}

TEST_F(ModelSourceTest, TakesAGivenName) {
  touch("a=b.onnx");
  const auto named = source_from_argument("speech=/somewhere/model.onnx");
  EXPECT_EQ(named->name, "speech");
  EXPECT_EQ(named->path, "/somewhere/model.onnx");
  EXPECT_EQ(source_from_argument((folder_ / "a=b.onnx").string())->name, "a=b");
}

TEST_F(ModelSourceTest, RefusesNamesThatCannotBeAsked) {
  for (const char* bad : {"=x.onnx", "a/b=x.onnx", "..=x", "a\nb=x", "a="}) {
    EXPECT_FALSE(source_from_argument(bad).ok()) << bad;
  }
}

TEST_F(ModelSourceTest, ReadsTheThreeLayouts) {
  touch("versioned/1/model.onnx");
  touch("versioned/3/model.onnx");
  touch("versioned/config.pbtxt");
  touch("versioned/notes/readme.txt");
  touch("plain/model.onnx");
  touch("bare.onnx");
  touch("README.md");
  touch(".hidden/1/model.onnx");
  const auto content = read();
  ASSERT_TRUE(content.ok());
  ASSERT_EQ(content->sources.size(), 3U);
  EXPECT_EQ(content->sources[0].name, "bare");
  EXPECT_EQ(content->sources[1].name, "plain");
  EXPECT_EQ(content->sources[1].path, (folder_ / "plain").string());
  EXPECT_EQ(content->sources[2].name, "versioned");
  EXPECT_EQ(content->sources[2].version, 3);
  EXPECT_EQ(content->sources[2].path, (folder_ / "versioned/3").string());
  // config.pbtxt, the older version and README.md are each said.
  EXPECT_EQ(content->problems.size(), 3U);
}

TEST_F(ModelSourceTest, SaysWhichOfTwoIsServed) {
  touch("m/model.onnx");
  touch("m.onnx");
  const auto content = read();
  ASSERT_TRUE(content.ok());
  EXPECT_EQ(content->sources.size(), 1U);
  ASSERT_EQ(content->problems.size(), 1U);
  EXPECT_NE(content->problems[0].find("already served"), std::string::npos);
}

TEST_F(ModelSourceTest, RepositoryMustBeAFolder) {
  EXPECT_FALSE(
      sources_from_repository((folder_ / "none").string(), [](auto&) { return true; }).ok());
}

}  // namespace
}  // namespace supernova::model
