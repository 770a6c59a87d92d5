// Which engine a model gets, and where it runs. Workers are played by a table that remembers how it
// was opened.
#include "engine/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "engine/option_names.h"

namespace supernova::engine {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const sn_device kCpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
const sn_device kCard{sizeof(sn_device), SN_DEVICE_VULKAN, 0, "vulkan:0"};
const sn_device kNameless{sizeof(sn_device), SN_DEVICE_NPU, 3, nullptr};

std::vector<Options> opened;  // the workers, by what they were told
int open_now = 0;
int builtins = 0;
bool crashes = false;
int object;

template <typename T>
int32_t give(T** out) {
  *out = reinterpret_cast<T*>(&object);
  return SN_OK;
}

sn_engine_api table_of(int32_t (*open)(const sn_host*, const sn_options*, sn_engine**, sn_error*)) {
  sn_engine_api table{};
  table.size = sizeof(table);
  table.abi_version = SN_ENGINE_ABI_VERSION;
  table.engine_open = open;
  table.engine_close = [](sn_engine*) { --open_now; };
  table.engine_info = [](sn_engine*) -> const sn_engine_info* {
    static const char* const formats[] = {"f"};
    static const sn_engine_info info = {sizeof(info), "itself", "1", formats, 1, 1};
    return &info;
  };
  table.model_open = [](sn_engine*, const sn_artefact*, const sn_options*, sn_model** out,
                        sn_error*) { return give(out); };
  table.model_close = [](sn_model*) {};
  table.model_info = [](sn_model*) -> const sn_model_info* {
    static const sn_signature signature{sizeof(signature), ""};
    static const sn_model_info info{sizeof(info), &signature, 1};
    return &info;
  };
  table.instance_open = [](sn_model*, const sn_device*, const sn_options*, sn_instance** out,
                           sn_error*) { return give(out); };
  table.instance_close = [](sn_instance*) {};
  table.run = [](sn_instance*, const sn_run*, sn_error*) -> int32_t { return SN_UNIMPLEMENTED; };
  return table;
}

const sn_engine_api* worker_entry(uint32_t) {
  static const sn_engine_api table =
      table_of([](const sn_host*, const sn_options* options, sn_engine** out, sn_error* error) {
        Options& given = opened.emplace_back();
        for (size_t i = 0; i < options->count; ++i) {
          given[options->items[i].key] = options->items[i].value;
        }
        if (crashes) {
          std::strcpy(error->message, "its worker crashed");
          return static_cast<int32_t>(SN_UNAVAILABLE);
        }
        ++open_now;
        return give(out);
      });
  return &table;
}

const sn_engine_api* builtin_entry(uint32_t) {
  static const sn_engine_api table =
      table_of([](const sn_host*, const sn_options*, sn_engine** out, sn_error*) {
        ++builtins;
        ++open_now;
        return give(out);
      });
  return &table;
}

class CatalogueTest : public testing::Test {
 protected:
  CatalogueTest() {
    opened.clear();
    open_now = builtins = 0;
    crashes = false;
    catalogue_.add_builtin("runtime", &builtin_entry);
  }
  ~CatalogueTest() override {
    catalogue_ = Catalogue();
    EXPECT_EQ(open_now, 0);
  }
  void use_workers(WorkerRules rules = {}) {
    catalogue_.use_workers(&worker_entry, std::move(rules));
  }
  Catalogue catalogue_;
};

TEST_F(CatalogueTest, IsolationHasThreeNames) {
  EXPECT_EQ(*parse_isolation("in-process"), Isolation::kInProcess);
  EXPECT_EQ(*parse_isolation("worker"), Isolation::kWorker);
  EXPECT_EQ(*parse_isolation("own-worker"), Isolation::kOwnWorker);
  EXPECT_THAT(std::string(parse_isolation("jail").status().message()), HasSubstr("own-worker"));
}

TEST_F(CatalogueTest, ALibraryMayHaveAName) {
  const std::tuple<const char*, const char*, const char*> table[] = {
      {"/lib/a.so", "", "/lib/a.so"},   {"v1=/lib/a.so", "v1", "/lib/a.so"},
      {"./x=1/a.so", "", "./x=1/a.so"}, {"v1=/x=1/a.so", "v1", "/x=1/a.so"},
      {"=a.so", "", "=a.so"},           {"v1=", "v1", ""},
  };
  for (const auto& [text, name, path] : table) {
    EXPECT_EQ(EngineLibrary(text).name, name) << text;
    EXPECT_EQ(EngineLibrary(text).path, path) << text;
  }
}

TEST_F(CatalogueTest, WhatIsBuiltInRunsInThisProcess) {
  use_workers();
  const auto first = catalogue_.use("runtime", kCpu, {});
  const auto second = catalogue_.use("runtime", kCpu, {{kIsolation, ""}});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(first->get(), *catalogue_.find("runtime"));
  EXPECT_EQ(builtins, 1);
  EXPECT_TRUE(opened.empty());
}

TEST_F(CatalogueTest, OtherDevicesHaveVendorsLibrariesAndSoAWorker) {
  use_workers();
  ASSERT_TRUE(catalogue_.use("runtime", kCard, {}).ok());
  EXPECT_EQ(opened.size(), 1U);
  EXPECT_EQ(builtins, 0);
  EXPECT_EQ(*catalogue_.isolation("runtime", kCard, {}), Isolation::kWorker);
  EXPECT_EQ(*catalogue_.isolation("runtime", kCard, {{kIsolation, "in-process"}}),
            Isolation::kInProcess);
  EXPECT_EQ(*catalogue_.isolation("runtime", kCpu, {}), Isolation::kInProcess);
}

TEST_F(CatalogueTest, SomeAnswerHereAndRunModelsInAWorker) {
  use_workers({.isolation = {}, .in_workers = {"runtime"}, .options = {}});
  ASSERT_TRUE(catalogue_.find("runtime").ok());
  EXPECT_TRUE(opened.empty());
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, {}).ok());
  EXPECT_EQ(opened.size(), 1U);
  EXPECT_EQ(*catalogue_.isolation("runtime", kCpu, {{kIsolation, "in-process"}}),
            Isolation::kInProcess);
}

TEST_F(CatalogueTest, AModelMayAskForAWorker) {
  use_workers({.isolation = {}, .options = {{kWorkerMemory, "1000"}, {"worker.program", "/w"}}});
  const auto shared = catalogue_.use("runtime", kCpu, {{kIsolation, "worker"}, {"other", "1"}});
  ASSERT_TRUE(shared.ok()) << shared.status();
  EXPECT_EQ((*shared)->name(), "runtime");
  EXPECT_THAT(opened, ElementsAre(Options{{"worker.engine", "runtime"},
                                          {"worker.name", "runtime@cpu"},
                                          {kWorkerMemory, "1000"},
                                          {"worker.program", "/w"}}));
  EXPECT_EQ(builtins, 0);
  // Shared with whoever wants the same.
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, {{kIsolation, "worker"}}).ok());
  EXPECT_EQ(opened.size(), 1U);
  ASSERT_TRUE(catalogue_.use("runtime", kCard, {{kIsolation, "worker"}}).ok());
  EXPECT_EQ(opened.back().at("worker.name"), "runtime@vulkan:0");
  ASSERT_TRUE(catalogue_.use("runtime", kNameless, {{kIsolation, "worker"}}).ok());
  EXPECT_EQ(opened.back().at("worker.name"), "runtime@device4.3");
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, {{kIsolation, "worker"}, {kWorkerMemory, "7"}}).ok());
  EXPECT_EQ(opened.back().at(kWorkerMemory), "7");
}

TEST_F(CatalogueTest, ASharedWorkerEndsWithItsLastUser) {
  use_workers();
  const Options options{{kIsolation, "worker"}};
  std::unique_ptr<Model> model;
  {
    const auto first = catalogue_.use("runtime", kCpu, options);
    ASSERT_TRUE(first.ok());
    Artefact artefact;
    artefact.format = "f";
    auto opened_model = (*first)->open_model(artefact, {});
    ASSERT_TRUE(opened_model.ok()) << opened_model.status();
    model = *std::move(opened_model);
  }
  // What is open in it uses it.
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, options).ok());
  EXPECT_EQ(open_now, 1);
  model.reset();
  EXPECT_EQ(open_now, 0);
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, options).ok());
  EXPECT_EQ(opened.size(), 2U);
}

TEST_F(CatalogueTest, AModelMayHaveAWorkerOfItsOwn) {
  use_workers();
  const Options options{{kIsolation, "own-worker"}};
  const auto first = catalogue_.use("runtime", kCpu, options, "a");
  const auto second = catalogue_.use("runtime", kCpu, options, "b");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
  EXPECT_EQ(opened.front().at("worker.name"), "runtime@cpu/a");
  EXPECT_EQ(opened.back().at("worker.name"), "runtime@cpu/b");
}

TEST_F(CatalogueTest, TheRulesSayWhereOthersRun) {
  use_workers({.isolation = {{"runtime", Isolation::kWorker}, {"", Isolation::kInProcess}}});
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, {}).ok());
  EXPECT_EQ(opened.size(), 1U);
  // Its questions are answered there too.
  ASSERT_TRUE(catalogue_.find("runtime").ok());
  EXPECT_EQ(builtins, 0);
  // The model has the last word.
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, {{kIsolation, "in-process"}}).ok());
  EXPECT_EQ(builtins, 1);
  ASSERT_TRUE(catalogue_.add_library("/nowhere/x.so", {}).code() != absl::StatusCode::kOk);
  EXPECT_EQ(opened.size(), 2U);
}

TEST_F(CatalogueTest, LibrariesAreNotEvenLoadedHere) {
  use_workers();
  // No file is there: it is the worker that would load it.
  ASSERT_TRUE(catalogue_.add_library("/nowhere/vendor.so", {{"key", "value"}}).ok());
  EXPECT_THAT(opened, ElementsAre(Options{{"key", "value"},
                                          {"worker.library", "/nowhere/vendor.so"},
                                          {"worker.name", "vendor@cpu"}}));
  EXPECT_THAT(catalogue_.names(), ElementsAre("runtime", "itself"));
  // The model shares the worker that was asked for its name.
  ASSERT_TRUE(catalogue_.use("itself", kCpu, {}).ok());
  EXPECT_EQ(opened.size(), 1U);
}

TEST_F(CatalogueTest, ARuleMayNameALibraryAsItCallsItself) {
  use_workers({.isolation = {{"itself", Isolation::kInProcess}}});
  // Asked in a worker for its name, then loaded here, where there is no such file.
  EXPECT_THAT(std::string(catalogue_.add_library("/nowhere/vendor.so", {}).message()),
              HasSubstr("can't be loaded"));
  EXPECT_EQ(opened.size(), 1U);
  EXPECT_THAT(catalogue_.names(), ElementsAre("runtime", "itself"));
}

TEST_F(CatalogueTest, VersionsOfALibraryLiveSideBySide) {
  use_workers();
  ASSERT_TRUE(catalogue_.add_library("v1=/1/vendor.so", {}).ok());
  ASSERT_TRUE(catalogue_.add_library("v2=/2/vendor.so", {}).ok());
  EXPECT_EQ(catalogue_.add_library("v2=/3/vendor.so", {}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(catalogue_.names(), ElementsAre("runtime", "v1", "v2"));
  const auto first = catalogue_.use("v1", kCpu, {});
  const auto second = catalogue_.use("v2", kCpu, {});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
  EXPECT_EQ((*first)->name(), "v1");
  EXPECT_EQ((*second)->name(), "v2");
}

TEST_F(CatalogueTest, AFileThatIsHereIsMeantBeforeTheLoadersFolders) {
  const std::string here = base::str_cat("vendor-", ::getpid(), ".so");
  std::ofstream(here) << "no library";
  EXPECT_EQ(EngineLibrary(here).path, "./" + here);
  EXPECT_EQ(EngineLibrary("v=" + here).path, "./" + here);
  std::filesystem::remove(here);
  EXPECT_EQ(EngineLibrary(here).path, here);
}

TEST_F(CatalogueTest, ALibraryThatCrashesIsTriedAgainWhenItIsAskedFor) {
  use_workers();
  crashes = true;
  EXPECT_THAT(std::string(catalogue_.add_library("/nowhere/libvendor.so", {}).message()),
              HasSubstr("its worker crashed"));
  EXPECT_THAT(catalogue_.names(), ElementsAre("runtime", "libvendor"));
  EXPECT_THAT(std::string(catalogue_.use("libvendor", kCpu, {}).status().message()),
              HasSubstr("engine library '/nowhere/libvendor.so': its worker crashed"));
  EXPECT_EQ(catalogue_.known_formats("libvendor"), std::nullopt);
  EXPECT_TRUE(catalogue_.find("runtime").ok());
  crashes = false;
  EXPECT_TRUE(catalogue_.use("libvendor", kCpu, {}).ok());
}

TEST_F(CatalogueTest, FormatsAreKnownOfEnginesThatAreClosed) {
  use_workers();
  catalogue_.add_builtin("other", &builtin_entry, {"x", "y"});
  EXPECT_EQ(catalogue_.known_formats("other"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(catalogue_.known_formats("runtime"), std::nullopt);
  EXPECT_EQ(catalogue_.known_formats("none"), std::nullopt);
  EXPECT_EQ(builtins, 0);
  // A library is open to be asked for its name; what it takes is known from then on.
  ASSERT_TRUE(catalogue_.add_library("/nowhere/vendor.so", {}).ok());
  EXPECT_EQ(catalogue_.known_formats("itself"), std::vector<std::string>{"f"});
}

TEST_F(CatalogueTest, EarlyOpenAreThoseThatMayBeNeeded) {
  catalogue_.add_builtin("other", &builtin_entry, {"x", "y"});
  catalogue_.open_early("", {"z"});
  EXPECT_EQ(builtins, 0);
  catalogue_.open_early("", {"y", "z"});
  EXPECT_EQ(builtins, 1);
  catalogue_.open_early("", {"x"});
  EXPECT_EQ(builtins, 1);
  catalogue_.open_early("runtime", {});
  EXPECT_EQ(builtins, 2);
}

// WebGPU can't be told a device: the worker's environment leaves it no other.
TEST_F(CatalogueTest, AWorkerSeesTheGraphicsProcessorThatItIsForAndNoOther) {
  use_workers();
  const sn_device first{sizeof(sn_device), SN_DEVICE_VULKAN, 0, "pci:0000:17:00.0", 0x10de, 0x20b5};
  sn_device second = first;
  second.ordinal = 1;
  second.id = "pci:0000:ca:00.0";
  ASSERT_TRUE(catalogue_.use("runtime", first, {}).ok());
  ASSERT_TRUE(catalogue_.use("runtime", second, {{kWorkerEnvironment, "A=1"}}).ok());
  ASSERT_TRUE(catalogue_.use("runtime", second, {{kWorkerEnvironment, "DRI_PRIME=1"}}).ok());
  ASSERT_EQ(opened.size(), 3U);
  EXPECT_THAT(opened[0][kWorkerEnvironment], HasSubstr("\nDRI_PRIME=pci-0000_17_00_0\n"));
  EXPECT_THAT(opened[1][kWorkerEnvironment],
              AllOf(StartsWith("A=1\n"), HasSubstr("\nDRI_PRIME=pci-0000_ca_00_0\n")));
  EXPECT_EQ(opened[2][kWorkerEnvironment], "DRI_PRIME=1");
  ASSERT_TRUE(catalogue_.use("runtime", kCpu, {{kIsolation, "worker"}}).ok());
  EXPECT_FALSE(opened[3].contains(kWorkerEnvironment));
}

TEST_F(CatalogueTest, HowLongALoadMayTakeIsTheModelsThenTheRules) {
  using std::chrono::milliseconds;
  EXPECT_EQ(catalogue_.load_limit({}), milliseconds(300'000));
  use_workers({.options = {{kWorkerLoadTimeout, "2000"}}});
  EXPECT_EQ(catalogue_.load_limit({}), milliseconds(2000));
  EXPECT_EQ(catalogue_.load_limit({{kWorkerLoadTimeout, "70"}}), milliseconds(70));
  EXPECT_EQ(catalogue_.load_limit({{kWorkerLoadTimeout, "soon"}}), milliseconds(2000));
  EXPECT_GT(catalogue_.load_limit({{kWorkerLoadTimeout, "0"}}), std::chrono::hours(24));
}

TEST_F(CatalogueTest, WithoutWorkersAllRunsHere) {
  EXPECT_TRUE(catalogue_.use("runtime", kCpu, {}).ok());
  const auto refused = catalogue_.use("runtime", kCpu, {{kIsolation, "worker"}});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(catalogue_.add_library("/nowhere/vendor.so", {}).message()),
              HasSubstr("can't be loaded"));
}

TEST_F(CatalogueTest, MistakesAreNamed) {
  use_workers();
  EXPECT_THAT(std::string(catalogue_.use("none", kCpu, {}).status().message()),
              HasSubstr("there is: runtime"));
  EXPECT_EQ(catalogue_.use("runtime", kCpu, {{kIsolation, "jail"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  // Which program a worker is, is not for models to say.
  for (const char* option : {"worker.memroy_byte_size", "worker.program", "worker.library"}) {
    EXPECT_THAT(
        std::string(catalogue_.use("runtime", kCpu, {{option, "1"}}).status().message()),
        HasSubstr(base::str_cat("there is no option '", option, "'; there is: worker.memory")));
  }
  for (const char* nothing : {"", "vendor="}) {
    EXPECT_EQ(catalogue_.add_library(nothing, {}).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(catalogue_.has("runtime"));
  EXPECT_FALSE(catalogue_.has("none"));
}

}  // namespace
}  // namespace supernova::engine
