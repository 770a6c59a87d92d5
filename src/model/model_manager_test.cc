#include "model/model_manager.h"

#include <gmock/gmock.h>

#include "support/manager_fixture.h"

namespace supernova::model {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

size_t entries(const char* folder) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.exists();
  return count;
}

std::string text(const base::Status& status) { return std::string(base::message(status)); }

using ManagerTest = testing::ManagerFixture;

TEST_F(ManagerTest, LoadsAllAtStartAndSaysWhatFailed) {
  put("a/1/model.fake", "value 1");
  put("a/2/model.fake", "value 2");
  put("b.fake", "value 7");
  put("broken/1/model.fake", "nonsense");
  put("empty/abc/model.fake", "value 1");
  const auto failures = start(ControlMode::kNone);
  EXPECT_THAT(failures,
              ElementsAre(AllOf(HasSubstr("'broken'"), HasSubstr("not a fake model")),
                          AllOf(HasSubstr("empty'"), HasSubstr("abc' is no version number"))));
  EXPECT_EQ(*infer("a"), 2);
  EXPECT_EQ(*infer("b", "1"), 7);
  EXPECT_THAT(index(), ElementsAre("a/2 READY ", "b/1 READY ",
                                   StartsWith("broken/1 UNAVAILABLE not a fake model"),
                                   StartsWith("empty/ UNAVAILABLE ")));
  EXPECT_EQ(manager_->find("a", "1").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(manager_->find("a", "x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(manager_->find("none", "").status().code(), absl::StatusCode::kInvalidArgument);
  for (const char* name : {"broken", "empty"}) {
    EXPECT_EQ(manager_->find(name, "").status().code(), absl::StatusCode::kUnavailable) << name;
  }
  EXPECT_EQ(manager_->list().size(), 3U);
  EXPECT_GT((*manager_->find("a", ""))->load_duration().count(), 0);
}

TEST_F(ManagerTest, LoadAndUnloadNeedExplicitControl) {
  start(ControlMode::kNone);
  for (const base::Status& status : {load("a"), unload("a")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(text(status), "explicit model load / unload is not allowed if polling is enabled");
  }
}

TEST_F(ManagerTest, AModelInTwoPlacesIsRefusedNamingBoth) {
  put("a/1/model.fake", "value 1");
  put("other/a/1/model.fake", "value 2");
  options_.repositories.push_back((folder_ / "repository/other").string());
  EXPECT_THAT(start(ControlMode::kNone),
              Contains(AllOf(HasSubstr("repository/a "), HasSubstr("repository/other/a"))));
  EXPECT_EQ(manager_->find("a", "").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ManagerTest, ARepositoryThatIsNotThereEndsTheStart) {
  options_.repositories.push_back((folder_ / "nowhere").string());
  ModelManager manager(provider_, catalogue_);
  EXPECT_THAT(text(manager.start(options_).status()), HasSubstr("nowhere' is not a folder"));
}

TEST_F(ManagerTest, PollingFollowsTheRepository) {
  put("a/1/model.fake", "value 1");
  start(ControlMode::kPoll);
  EXPECT_EQ(*infer("a"), 1);
  put("a/2/model.fake", "value 2");
  put("b/1/model.fake", "value 5");
  EXPECT_TRUE(eventually([&] { return infer("a").value_or(0) == 2 && infer("b").ok(); }));
  EXPECT_TRUE(eventually([&] { return !manager_->find("a", "1").ok(); }));
  put("a/2/model.fake", "value 3");
  EXPECT_TRUE(eventually([&] { return infer("a").value_or(0) == 3; }));
  remove("b");
  EXPECT_TRUE(eventually([&] {
    return manager_->find("b", "").status().code() == absl::StatusCode::kInvalidArgument;
  }));
  remove("a/2");
  EXPECT_TRUE(eventually([&] { return infer("a").value_or(0) == 1; }));
}

TEST_F(ManagerTest, AFailedReloadLeavesTheOldServingWithItsReason) {
  put("a/1/model.fake", "value 1");
  start(ControlMode::kPoll);
  put("a/1/model.fake", "value 2 bad-run");
  ASSERT_TRUE(eventually([&] { return index()[0].size() > std::string("a/1 READY ").size(); }));
  EXPECT_THAT(index(), ElementsAre("a/1 READY warm-up run: this model can't run"));
  EXPECT_EQ(*infer("a"), 1);
  put("a/2/model.fake", "nonsense");
  ASSERT_TRUE(eventually([&] { return index().size() == 2; }));
  ASSERT_TRUE(eventually([&] { return index()[1].starts_with("a/2 UNAVAILABLE"); }));
  EXPECT_EQ(*infer("a"), 1);
  EXPECT_EQ(infer("a", "2").status().code(), absl::StatusCode::kUnavailable);
  put("a/2/model.fake", "value 4");
  EXPECT_TRUE(eventually([&] { return infer("a").value_or(0) == 4; }));
  EXPECT_TRUE(eventually([&] { return index() == std::vector<std::string>{"a/2 READY "}; }));
}

TEST_F(ManagerTest, ModelArgumentsAreServedBesideRepositories) {
  put("bare.fake", "value 1");
  options_.models = {{"named", 1, (folder_ / "repository/bare.fake").string()},
                     {"missing", 1, (folder_ / "nowhere").string()}};
  options_.repositories.clear();
  EXPECT_THAT(start(ControlMode::kExplicit), ElementsAre(HasSubstr("missing")));
  EXPECT_EQ(*infer("named"), 1);
}

TEST_F(ManagerTest, ExplicitLoadAndUnload) {
  put("a/1/model.fake", "value 1");
  put("b/1/model.fake", "value 1");
  put("c/1/model.fake", "nonsense");
  options_.load_at_start = {"b"};
  start(ControlMode::kExplicit);
  EXPECT_THAT(index(), ElementsAre("a/  ", "b/1 READY ", "c/  "));
  EXPECT_EQ(manager_->find("a", "").status().code(), absl::StatusCode::kInvalidArgument);

  EXPECT_TRUE(load("a").ok());
  const auto first = *manager_->find("a", "");
  EXPECT_TRUE(load("a").ok());
  EXPECT_EQ(*manager_->find("a", ""), first) << "what has not changed is not loaded again";
  const base::Status unknown = load("nope");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(text(unknown), "failed to load 'nope', failed to poll from model repository");
  const base::Status broken = load("c");
  EXPECT_EQ(broken.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(text(broken), AllOf(StartsWith("load failed for model 'c': version 1 is at "),
                                  HasSubstr("not a fake model")));
  put("c/1/model.fake", "value 3");
  EXPECT_TRUE(load("c").ok());
  EXPECT_EQ(*infer("c"), 3);

  EXPECT_TRUE(unload("b").ok());
  EXPECT_THAT(index(), Contains("b/1 UNAVAILABLE unloaded"));
  EXPECT_EQ(manager_->find("b", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(manager_->find("b", "1").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(unload("b").ok());
  EXPECT_TRUE(unload("never heard of").ok());
  EXPECT_THAT(index(), SizeIs(3));
  EXPECT_TRUE(load("b").ok());
  EXPECT_EQ(*infer("b"), 1);
}

TEST_F(ManagerTest, AModelThatCantRunIsShownAndAnExplicitLoadOpensItAnew) {
  put("a/1/model.fake", "value 1");
  options_.load_at_start = {"a"};
  start(ControlMode::kExplicit);
  EXPECT_THAT(index(), ElementsAre("a/1 READY "));
  const VersionHandle first = *manager_->find("a", "");
  EXPECT_TRUE(first->health().ok());
  testing::models_are_sick = true;
  EXPECT_EQ(first->health().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(index(), ElementsAre("a/1 UNAVAILABLE engine 'fake': its device is lost"));
  EXPECT_TRUE(manager_->index(true).empty());
  ASSERT_TRUE(load("a").ok());
  EXPECT_THAT(index(), ElementsAre("a/1 READY "));
  EXPECT_NE(*manager_->find("a", ""), first);
  // Nothing happens to one that is well.
  const VersionHandle second = *manager_->find("a", "");
  ASSERT_TRUE(load("a").ok());
  EXPECT_EQ(*manager_->find("a", ""), second);
}

TEST_F(ManagerTest, StarLoadsAllAndUnknownNamesEndTheStart) {
  put("a/1/model.fake", "value 1");
  put("b/1/model.fake", "value 1");
  options_.control = ControlMode::kExplicit;
  options_.load_at_start = {"a", "typo"};
  {
    ModelManager manager(provider_, catalogue_);
    EXPECT_THAT(text(manager.start(options_).status()), HasSubstr("typo"));
  }
  options_.load_at_start = {"*"};
  EXPECT_THAT(start(ControlMode::kExplicit), IsEmpty());
  EXPECT_TRUE(infer("a").ok() && infer("b").ok());
}

TEST_F(ManagerTest, FilesOfARequestNeedAConfiguration) {
  start(ControlMode::kExplicit);
  LoadRequest request;
  request.files.push_back({"1/model.fake", tensor::Buffer::copy_of("value 9")});
  const base::Status refused = load("sent", std::move(request));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(text(refused), HasSubstr("configuration"));
}

TEST_F(ManagerTest, FilesOfARequestAreServedAndGoWithTheVersion) {
  start(ControlMode::kExplicit);
  LoadRequest request;
  request.config = "{}";
  request.files.push_back({"4/model.fake", tensor::Buffer::copy_of("value 9")});
  ASSERT_TRUE(load("sent", std::move(request)).ok());
  EXPECT_EQ(*infer("sent", "4"), 9);
  const std::string place = (*manager_->find("sent", ""))->path();
  EXPECT_TRUE(std::filesystem::exists(place));
  // The repository knows nothing of it.
  EXPECT_EQ(load("sent").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(*infer("sent"), 9);
  EXPECT_TRUE(unload("sent").ok());
  EXPECT_FALSE(std::filesystem::exists(place));

  LoadRequest outside;
  outside.config = "{}";
  outside.files.push_back({"../4/model.fake", tensor::Buffer::copy_of("value 9")});
  EXPECT_THAT(text(load("sent", std::move(outside))), HasSubstr("inside the model's folder"));
}

TEST_F(ManagerTest, SamplesRunOnEveryInstanceBeforeAVersionIsReady) {
  put("a/1/model.fake", "value 1");
  put("a/config.pbtxt",
      "instance_group { count: 2 } "
      "model_warmup { name: 'w' count: 3 inputs { key: 'X' value { input_data_file: 'x' } } }");
  put("a/warmup/x", "1234");
  const int before = testing::all_runs;
  EXPECT_THAT(start(ControlMode::kPoll), IsEmpty());
  EXPECT_EQ(testing::all_runs - before, 6);
  EXPECT_EQ((*manager_->find("a", ""))->statistics().snapshot().execution_count, 0U);

  // A file of samples counts as a change of the model, and a bad one leaves the old version.
  put("a/warmup/x", "123");
  ASSERT_TRUE(eventually([&] { return !index()[0].ends_with("READY "); }));
  EXPECT_THAT(index()[0], HasSubstr("file 'warmup/x' holds 3 bytes"));
  EXPECT_EQ(*infer("a"), 1);
}

TEST_F(ManagerTest, UploadedSamplesAreRun) {
  start(ControlMode::kExplicit);
  const auto request = [](const char* sample) {
    LoadRequest made;
    made.config =
        R"({"model_warmup":[{"name":"w","inputs":{"X":{"input_data_file":"x","dims":[1]}}}]})";
    made.files.push_back({"1/model.fake", tensor::Buffer::copy_of("value 9")});
    made.files.push_back({"warmup/x", tensor::Buffer::copy_of(sample)});
    return made;
  };
  const int before = testing::all_runs;
  EXPECT_THAT(text(load("sent", request("12345"))),
              HasSubstr("model_warmup sample 'w': input 'X': file 'warmup/x' holds 5 bytes, but "
                        "FP32 [1] takes 4"));
  EXPECT_EQ(testing::all_runs, before);
  EXPECT_TRUE(load("sent", request("1234")).ok());
  EXPECT_EQ(testing::all_runs - before, 1);
}

TEST_F(ManagerTest, TheConfigurationSaysVersionsAndLabels) {
  for (const char* version : {"1", "2", "3"}) {
    put(base::str_cat("a/", version, "/model.fake"), base::str_cat("value ", version));
  }
  put("a/config.pbtxt",
      "version_policy { latest { num_versions: 2 } }"
      "parameters { key: 'version_label.stable' value { string_value: '2' } }"
      "parameters { key: 'version_label.old' value { string_value: '1' } }");
  options_.load_at_start = {"*"};
  start(ControlMode::kExplicit);
  EXPECT_THAT(index(), ElementsAre("a/2 READY ", "a/3 READY "));
  EXPECT_EQ((*manager_->find_by_label("a", "stable"))->version(), 2);
  EXPECT_EQ(manager_->find_by_label("a", "old").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(manager_->find_by_label("a", "canary").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(*manager_->ready_versions("a"), SizeIs(2));

  LoadRequest request;
  request.config = R"({"version_policy":{"specific":{"versions":[1]}}})";
  ASSERT_TRUE(load("a", std::move(request)).ok());
  EXPECT_TRUE(eventually([&] { return index() == std::vector<std::string>{"a/1 READY "}; }));
  ASSERT_TRUE(load("a").ok());  // the repository's own again
  EXPECT_EQ(*infer("a"), 3);
}

TEST_F(ManagerTest, AContradictingConfigurationIsRefusedAndTheOldServes) {
  put("a/1/model.fake", "value 1");
  put("a/config.pbtxt", "name: 'a'");
  start(ControlMode::kPoll);
  EXPECT_EQ(*infer("a"), 1);
  for (const char* bad : {"name: 'b'", "max_batch_size: 'x'", "version_policy { specific {} }"}) {
    put("a/config.pbtxt", bad);
    EXPECT_TRUE(eventually([&] { return index()[0].size() > sizeof("a/1 READY"); })) << bad;
    EXPECT_EQ(*infer("a"), 1);
    put("a/config.pbtxt", "name: 'a'");
    EXPECT_TRUE(eventually([&] { return index()[0] == "a/1 READY "; })) << bad << index()[0];
  }
}

TEST_F(ManagerTest, RequestsInProgressFinishOnTheVersionTheyStartedOn) {
  put("a/1/model.fake", "value 1 slow");
  start(ControlMode::kExplicit);
  ASSERT_TRUE(load("a").ok());
  testing::set_gate(false);
  auto old = std::async(std::launch::async, [&] { return infer("a"); });
  ASSERT_TRUE(eventually([] { return testing::waiting_runs == 1; }));
  put("a/1/model.fake", "value 2");
  ASSERT_TRUE(load("a").ok());
  EXPECT_EQ(*infer("a"), 2) << "beside the run on the old version";
  EXPECT_EQ(testing::waiting_runs, 1);
  testing::set_gate(true);
  EXPECT_EQ(*old.get(), 1);
  EXPECT_TRUE(eventually([] { return testing::open_models == 1; })) << "the old one is closed";
  EXPECT_NE(testing::closed_on, std::this_thread::get_id());
}

// A handle taken before the change is as good after it: no request that found a version is refused.
TEST_F(ManagerTest, AHandleOutlivesUnload) {
  put("a/1/model.fake", "value 1");
  options_.load_at_start = {"*"};
  start(ControlMode::kExplicit);
  VersionHandle handle = *manager_->find("a", "");
  auto unloaded = std::async(std::launch::async, [&] { return unload("a"); });
  ASSERT_TRUE(eventually([&] { return !manager_->find("a", "").ok(); }));
  EXPECT_EQ(*infer_on(handle), 1);
  EXPECT_THAT(index(), ElementsAre("a/1 UNLOADING "));
  EXPECT_EQ(handle->state(), VersionState::kDraining);
  handle.reset();
  EXPECT_TRUE(unloaded.get().ok());
  EXPECT_EQ(testing::open_models, 0) << "an answered unload has given the memory back";
}

TEST_F(ManagerTest, ReloadsUnderLoadWithoutAnError) {
  put("a/1/model.fake", "value 0");
  options_.load_at_start = {"*"};
  start(ControlMode::kExplicit);
  Statistics* const statistics = &(*manager_->find("a", ""))->statistics();
  std::atomic<bool> stop{false};
  std::atomic<int> errors{0};
  std::atomic<int> backwards{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      for (int64_t last = 0; !stop;) {
        const auto value = infer("a", i % 2 == 0 ? "" : "1");
        if (!value.ok()) {
          ++errors;
          continue;
        }
        if (*value < last) ++backwards;
        last = *value;
      }
    });
  }
  for (int i = 1; i <= 60; ++i) {
    put("a/1/model.fake", i % 5 == 0 ? "nonsense" : base::str_cat("value ", i));
    EXPECT_EQ(load("a").ok(), i % 5 != 0) << i;
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(backwards, 0) << "a takeover is one step";
  EXPECT_EQ(*infer("a"), 59);
  EXPECT_EQ(&(*manager_->find("a", ""))->statistics(), statistics);
  EXPECT_TRUE(eventually([] { return testing::open_models == 1; }));
}

TEST_F(ManagerTest, ABudgetFreesTheOldVersionFirst) {
  put("a/1/model.fake", "value 1");
  options_.memory_budget = 1;
  options_.load_at_start = {"*"};
  start(ControlMode::kExplicit);
  testing::most_open_models = 1;
  for (int i = 2; i < 6; ++i) {
    put("a/1/model.fake", base::str_cat("value ", i));
    ASSERT_TRUE(load("a").ok());
    EXPECT_EQ(*infer("a"), i);
  }
  EXPECT_EQ(testing::most_open_models, 1);
}

TEST_F(ManagerTest, ManyCyclesLeaveNothingBehind) {
  for (int i = 0; i < 4; ++i) put(base::str_cat("m", i, "/1/model.fake"), "value 1");
  start(ControlMode::kExplicit);
  size_t threads = 0;
  size_t files = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string name = base::str_cat("m", i % 4);
    ASSERT_TRUE(load(name).ok());
    ASSERT_TRUE(infer(name).ok());
    ASSERT_TRUE(unload(name).ok());
    ASSERT_EQ(testing::open_models, 0) << i;
    if (i == 20) {
      threads = entries("/proc/self/task");
      files = entries("/proc/self/fd");
    }
  }
  // A thread on its way out, or a file that is just read, is nothing left behind.
  EXPECT_TRUE(eventually([&] { return entries("/proc/self/task") <= threads; }));
  EXPECT_TRUE(eventually([&] { return entries("/proc/self/fd") <= files; }));
}

// Whoever calls load and unload at the same time gets an answer, and the last word counts.
TEST_F(ManagerTest, LoadsAndUnloadsFromManyThreads) {
  put("a/1/model.fake", "value 1");
  start(ControlMode::kExplicit);
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        EXPECT_TRUE((i % 2 == 0 ? load("a") : unload("a")).ok());
        index();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(load("a").ok());
  EXPECT_EQ(*infer("a"), 1);
}

// A load must not be felt by its neighbours, and what it starts must not stay slow.
TEST_F(ManagerTest, LoadsHaveALowPriorityAndRunsDoNot) {
  put("a/1/model.fake", "value 1");
  start(ControlMode::kNone);
  EXPECT_GT(testing::open_nice, testing::own_nice());
  ASSERT_TRUE(infer("a").ok());
  EXPECT_EQ(testing::run_nice, testing::own_nice());
}

TEST_F(ManagerTest, DrainAnswersWhatWaits) {
  put("a/1/model.fake", "value 1 slow");
  put("b/1/model.fake", "value 1");
  options_.loader_threads = 1;
  start(ControlMode::kExplicit);
  testing::set_gate(false);
  auto first = std::async(std::launch::async, [&] { return load("a"); });
  ASSERT_TRUE(eventually([] { return testing::waiting_runs == 1; }));  // warming up
  auto second = std::async(std::launch::async, [&] { return load("b"); });
  auto drained = std::async(std::launch::async, [&] { manager_->drain(); });
  testing::set_gate(true);
  for (auto* answer : {&first, &second}) {
    const base::Status status = answer->get();
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument ||
                status.code() == absl::StatusCode::kUnavailable)
        << status;
  }
  drained.get();
  EXPECT_EQ(load("a").code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(manager_->find("a", "").ok());
}

TEST_F(ManagerTest, TheManifestComesAfterReady) {
  put("a/1/model.fake", "value 1");
  start(ControlMode::kNone);
  const auto version = *manager_->find("a", "");
  ASSERT_TRUE(eventually([&] { return version->manifest() != nullptr; }));
  const auto manifest = version->manifest();
  EXPECT_THAT(manifest->content.digest, StartsWith("sha256:"));
  EXPECT_THAT(manifest->content.files, SizeIs(1));
  EXPECT_EQ(manifest->engine, "fake");
  EXPECT_EQ(manifest->inputs.size(), 1U);
  EXPECT_EQ(manifest->content.files[0].path, "model.fake");
}

}  // namespace
}  // namespace supernova::model
