#include "model/model_plan.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/uploaded_files.h"

namespace supernova::model {
namespace {

using ::testing::HasSubstr;

SeenModel seen(const std::vector<int64_t>& versions) {
  SeenModel model;
  model.name = "m";
  model.place = model.folder = "/r/m";
  for (const int64_t number : versions) {
    model.versions.push_back({number, "/r/m/" + std::to_string(number), "", 100, 10});
  }
  return model;
}

std::optional<ParsedConfig> config(const std::string& text) {
  ParsedConfig parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed.config)) << text;
  return parsed;
}

TEST(ModelPlan, Table) {
  const struct {
    const char* config;  // null = none
    std::string expected;
  } cases[] = {
      {nullptr, "/r/m/7"},
      {"", "/r/m/7"},
      {"version_policy { latest { num_versions: 2 } }", "/r/m/3 /r/m/7"},
      {"version_policy { all {} }", "/r/m/1 /r/m/3 /r/m/7"},
      {"version_policy { specific { versions: [1, 9] } }", "/r/m/1"},
      {"version_policy { specific { versions: [9] } }", "version_policy selects none"},
      {"default_model_filename: 'net.onnx'", "/r/m/7/net.onnx"},
      {"default_model_filename: '../x'", "must be a plain name"},
      {"default_model_filename: '..'", "must be a plain name"},
      {"parameters { key: 'version_label.stable' value { string_value: '3' } }", "/r/m/7"},
      {"parameters { key: 'version_label.stable' value { string_value: '4' } }", "not there"},
      {"parameters { key: 'version_label.stable' value { string_value: 'x' } }",
       "version's number"},
      {"parameters { key: 'version_label.' value { string_value: '3' } }", "version_label.NAME"},
  };
  for (const auto& one : cases) {
    const auto plan =
        make_plan(seen({1, 3, 7}),
                  one.config != nullptr ? config(one.config) : std::optional<ParsedConfig>());
    if (!plan.ok()) {
      EXPECT_THAT(std::string(base::message(plan.status())), HasSubstr(one.expected));
      continue;
    }
    std::vector<std::string> paths;
    for (const DesiredVersion& version : plan->versions) paths.push_back(version.path);
    EXPECT_EQ(base::str_join(paths, " "), one.expected);
  }
}

TEST(ModelPlan, LabelsAndWarnings) {
  const auto plan = make_plan(
      seen({1, 3}), config("parameters { key: 'version_label.stable' value { string_value: '1' } }"
                           "version_policy { specific { versions: [1, 9] } }"));
  EXPECT_EQ(plan->labels.at("stable"), 1);
  ASSERT_EQ(plan->warnings.size(), 1U);
  EXPECT_THAT(plan->warnings[0], HasSubstr("version 9"));
}

TEST(ModelPlan, TheFingerprintIsOfFilesAndConfiguration) {
  const auto mark = [](const SeenModel& model, std::optional<ParsedConfig> given) {
    return make_plan(model, std::move(given))->versions[0].fingerprint;
  };
  const SeenModel model = seen({1});
  const uint64_t before = mark(model, {});
  EXPECT_EQ(mark(model, {}), before);
  EXPECT_NE(mark(model, config("")), before);
  EXPECT_NE(mark(model, config("max_batch_size: 2")), mark(model, config("max_batch_size: 3")));
  SeenModel changed = model;
  changed.versions[0].fingerprint = 101;
  EXPECT_NE(mark(changed, {}), before);
  changed = model;
  changed.fingerprint = 1;  // a label file
  EXPECT_NE(mark(changed, {}), before);
}

TEST(ModelPlan, TheModelMayBeAFolderInItsVersion) {
  SeenModel model = seen({1});
  model.versions[0].inner = "model.savedmodel";
  EXPECT_EQ(make_plan(model, {})->versions[0].path, "/r/m/1/model.savedmodel");
  model.folder.clear();
  model.versions[0] = {1, "/r/m.onnx", "", 1, 1};
  EXPECT_EQ(make_plan(model, config("default_model_filename: 'x'"))->versions[0].path, "/r/m.onnx");
}

TEST(ModelPlan, RefusesWhatTheLookRefused) {
  SeenModel model = seen({1});
  model.problem = "is there twice";
  EXPECT_THAT(std::string(base::message(make_plan(model, {}).status())), HasSubstr("twice"));
  EXPECT_FALSE(make_plan(seen({}), {}).ok());
}

TEST(UploadedFiles, NamesStayInside) {
  for (const char* good : {"1/model.onnx", "12/a/b.bin", "1/..x", "warmup/x.bin"}) {
    EXPECT_TRUE(check_uploaded_path(good).ok()) << good;
  }
  const std::string zero("1/a\0b", 5);
  const std::string deep = "1" + [] {
    std::string more;
    for (int i = 0; i < 40; ++i) more += "/a";
    return more;
  }();
  for (const std::string& bad :
       {std::string(), std::string("/etc/passwd"), std::string("model.onnx"), std::string("1"),
        std::string("1/"), std::string("a/model.onnx"), std::string("warmup"),
        std::string("warmup/../1/x"), std::string("1/../x"), std::string("../1/x"),
        std::string("1//x"), std::string("1/./x"), std::string("-1/x"), zero, deep,
        "1/" + std::string(5000, 'x')}) {
    EXPECT_FALSE(check_uploaded_path(bad).ok()) << bad;
  }
}

TEST(UploadedFiles, AreStoredAndRemoved) {
  std::string place;
  {
    const auto folder = store_uploaded_files(
        {{"1/model.onnx", tensor::Buffer::copy_of("abc")}, {"1/data/w", tensor::Buffer()}});
    ASSERT_TRUE(folder.ok()) << folder.status();
    place = (*folder)->path();
    EXPECT_EQ(std::filesystem::file_size(place + "/1/model.onnx"), 3U);
    EXPECT_EQ(std::filesystem::file_size(place + "/1/data/w"), 0U);
    EXPECT_EQ(std::filesystem::status(place).permissions(), std::filesystem::perms::owner_all);
  }
  EXPECT_FALSE(std::filesystem::exists(place));
  const tensor::Buffer some = tensor::Buffer::copy_of("x");
  EXPECT_FALSE(store_uploaded_files({{"1/a", some}, {"1/a", some}}).ok());
  EXPECT_FALSE(store_uploaded_files({{"1/a", some}, {"1/a/b", some}}).ok()) << "a file as a folder";
}

}  // namespace
}  // namespace supernova::model
