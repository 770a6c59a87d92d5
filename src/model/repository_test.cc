#include "model/repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace supernova::model {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RepositoryTest : public ::testing::Test {
 protected:
  RepositoryTest()
      : folder_(fs::temp_directory_path() /
                ("supernova-repository-" + std::to_string(::getpid()) + "-" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(folder_);
  }
  ~RepositoryTest() override { fs::remove_all(folder_); }

  void put(const std::string& path, const std::string& content = "x") {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << content;
  }
  static bool recognises(const std::string& path) {
    return path.ends_with(".onnx") || fs::exists(fs::path(path) / "model.onnx");
  }
  Look look(std::string_view only = {}) {
    return look_at_repository(folder_.string(), &RepositoryTest::recognises, only);
  }
  // "name: version version" of each model, or its problem.
  std::vector<std::string> seen() {
    std::vector<std::string> lines;
    for (const SeenModel& model : look().models) {
      std::string line = model.name + ":";
      for (const auto& version : model.versions) line += " " + std::to_string(version.number);
      lines.push_back(line + model.problem);
    }
    return lines;
  }

  fs::path folder_;
};

TEST_F(RepositoryTest, SeesTheLayouts) {
  put("triton/config.pbtxt", "max_batch_size: 8");
  put("triton/1/model.onnx");
  put("triton/3/model.onnx");
  put("triton/labels.txt");
  put("serving/17/saved_model.pb");
  put("serving/17/variables/variables.index");
  put("plain/model.onnx");
  put("unknown/model.xyz");
  put("bare.onnx");
  put("README.md");
  put(".hidden/1/model.onnx");
  EXPECT_THAT(seen(),
              ElementsAre("bare: 1", "plain: 1", "serving: 17", "triton: 1 3", "unknown: 1"));
  const Look all = look();
  EXPECT_THAT(all.problems, ElementsAre(HasSubstr("README.md: not a model")));
  const SeenModel& triton = all.models[3];
  EXPECT_TRUE(triton.has_config);
  EXPECT_EQ(triton.config_text, "max_batch_size: 8");
  EXPECT_EQ(triton.versions[1].path, (folder_ / "triton/3").string());
  EXPECT_EQ(all.models[1].versions[0].path, (folder_ / "plain").string());
  EXPECT_THAT(look("plain").models, ElementsAre(all.models[1]));
}

TEST_F(RepositoryTest, SeesAModelThatIsAFolderInItsVersion) {
  put("m/1/model.savedmodel/saved_model.pb");
  put("n/1/model.savedmodel/saved_model.pb");
  put("n/1/other.txt");
  const Look all = look();
  EXPECT_EQ(all.models[0].versions[0].inner, "model.savedmodel");
  EXPECT_EQ(all.models[1].versions[0].inner, "");
}

TEST_F(RepositoryTest, NamesWhatIsWrong) {
  put("abc_only/abc/model.onnx");
  fs::create_directories(folder_ / "empty");
  put("mixed/1/model.onnx");
  put("mixed/abc/model.onnx");
  put("mixed/-1/model.onnx");
  put("twice/1/model.onnx");
  put("twice/01/model.onnx");
  put("both/1/model.onnx");
  put("both.onnx");
  EXPECT_THAT(seen(), ElementsAre(AllOf(HasSubstr("abc_only' holds neither"),
                                        HasSubstr("abc' is no version number")),
                                  AllOf(HasSubstr("'both' is there twice"), HasSubstr("both.onnx")),
                                  HasSubstr("empty' holds neither"), "mixed: 1",
                                  HasSubstr("two folders for version 1")));
  EXPECT_THAT(look().problems, ::testing::SizeIs(6));
}

TEST_F(RepositoryTest, UnreadableFoldersAreNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  put("m/1/model.onnx");
  fs::permissions(folder_ / "m", fs::perms::none);
  EXPECT_THAT(seen(), ElementsAre(HasSubstr("can't be read")));
  fs::permissions(folder_ / "m", fs::perms::owner_all);
  fs::permissions(folder_, fs::perms::none);
  EXPECT_FALSE(look().status.ok());
  fs::permissions(folder_, fs::perms::owner_all);
}

TEST_F(RepositoryTest, FingerprintsFollowTheFiles) {
  put("m/1/model.onnx", "one");
  put("m/1/deep/weights.bin", "w");
  put("m/config.pbtxt", "a");
  const auto print = [&] { return look().models[0]; };
  const SeenModel before = print();
  EXPECT_EQ(print(), before);
  put("m/1/deep/weights.bin", "ww");
  const SeenModel content = print();
  EXPECT_NE(content.versions, before.versions);
  EXPECT_EQ(content.fingerprint, before.fingerprint);
  // The same size and time, another file: what rename puts in place.
  put("m/1/new", "one");
  fs::last_write_time(folder_ / "m/1/new", fs::last_write_time(folder_ / "m/1/model.onnx"));
  fs::rename(folder_ / "m/1/new", folder_ / "m/1/model.onnx");
  const SeenModel replaced = print();
  EXPECT_NE(replaced.versions, content.versions);
  put("m/config.pbtxt", "ab");
  EXPECT_NE(print().fingerprint, replaced.fingerprint);
  EXPECT_EQ(print().versions, replaced.versions);
}

TEST_F(RepositoryTest, ALinkThatGoesRoundEnds) {
  put("m/1/model.onnx");
  fs::create_directory_symlink(folder_ / "m", folder_ / "m/1/again");
  const Look all = look();
  EXPECT_THAT(all.models[0].problem, HasSubstr("can be read"));
  EXPECT_THAT(all.problems, ::testing::Contains(HasSubstr("too many files")));
}

TEST_F(RepositoryTest, AModelArgumentMayBeAnyOfThem) {
  put("a.onnx");
  put("repo_model/4/model.onnx");
  put("folder/model.onnx");
  const auto versions = [&](const std::string& path) {
    return look_at_model({"x", 1, (folder_ / path).string()}, &RepositoryTest::recognises)
        .models[0]
        .versions;
  };
  EXPECT_EQ(versions("a.onnx")[0].path, (folder_ / "a.onnx").string());
  EXPECT_EQ(versions("repo_model")[0].number, 4);
  EXPECT_EQ(versions("folder")[0].path, (folder_ / "folder").string());
  // What isn't there is said by the importer.
  EXPECT_EQ(versions("missing")[0].path, (folder_ / "missing").string());
}

TEST(Believe, Table) {
  const auto make = [](uint64_t identity, bool models) {
    Look look;
    look.place = "/r";
    look.identity = identity;
    if (models) look.models.push_back({"m"});
    return look;
  };
  Look unreadable = make(0, false);
  unreadable.status = absl::NotFoundError("gone");
  const struct {
    const char* what;
    Look before, now;
    size_t models;
    bool ok;
  } cases[] = {
      {"as before", make(1, true), make(1, true), 1, true},
      {"gone: what was seen before counts", make(1, true), unreadable, 1, false},
      {"the last model is taken away", make(1, true), make(1, false), 0, true},
      {"another, empty folder: unmounted", make(1, true), make(2, false), 1, false},
      {"another folder with models: swapped", make(1, true), make(2, true), 1, true},
      {"empty and stays empty", make(1, false), make(2, false), 0, true},
  };
  for (const auto& one : cases) {
    const Look believed = believe(one.before, one.now);
    EXPECT_EQ(believed.models.size(), one.models) << one.what;
    EXPECT_EQ(believed.status.ok(), one.ok) << one.what;
    // Being gone for longer changes nothing, and coming back is believed.
    EXPECT_EQ(believe(believed, one.now).models.size(), one.models) << one.what;
    EXPECT_TRUE(believe(believed, make(1, true)).status.ok()) << one.what;
  }
}

TEST(Merge, RefusesANameOfTwoPlaces) {
  Look a;
  a.models = {{"m", "/a/m"}, {"n", "/a/n"}};
  Look b;
  b.models = {{"m", "/b/m"}};
  const SeenModels all = merge({a, b});
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all.at("m").problem, AllOf(HasSubstr("/a/m"), HasSubstr("/b/m")));
  EXPECT_THAT(all.at("n").problem, IsEmpty());
}

}  // namespace
}  // namespace supernova::model
