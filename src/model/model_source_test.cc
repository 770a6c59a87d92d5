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

}  // namespace
}  // namespace supernova::model
