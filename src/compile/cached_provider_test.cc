#include "compile/cached_provider.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "base/sanitized.h"
#include "compile/cpu_type.h"
#include "compile/test_provider_options.h"
#include "support/fake_importer.h"

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;

class CachedProviderTest : public ::testing::Test {
 protected:
  CachedProviderTest() {
    root_ = fs::temp_directory_path() /
            ("supernova-provider-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(root_);
    options_ = test_provider_options(root_ / "cache");
    start();
  }
  ~CachedProviderTest() override {
    provider_.reset();
    fs::remove_all(root_);
  }

  // As a program does that starts anew.
  void start(int importer_version = 1) {
    provider_.reset();
    importers_ = std::make_unique<import::ImporterRegistry>();
    importers_->add(std::make_unique<test::FakeImporter>(importer_version));
    import::register_importers(*importers_);
    engines_ = std::make_unique<engine::Catalogue>();
    engine::register_builtin_engines(*engines_);
    provider_ = std::make_unique<CachedProvider>(*importers_, *engines_);
    provider_->configure(options_);
  }

  std::string put(const std::string& name, const std::string& content) const {
    const fs::path path = root_ / "models" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  // Whether providing it took a worker; it must succeed.
  bool imports(const std::string& path, const tensor::Options& options = {}) {
    const uint64_t before = provider_->worker_counters().done;
    model_ = provider_->provide(path, options);
    EXPECT_TRUE(model_.ok()) << model_.status();
    return provider_->worker_counters().done > before;
  }
  base::Status failure(const std::string& path) { return provider_->provide(path, {}).status(); }
  void expect_failure(const std::string& path, absl::StatusCode code, std::string_view text) {
    const base::Status status = failure(path);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(base::message(status).find(text), std::string_view::npos) << status;
    EXPECT_NE(base::message(status).find(path), std::string_view::npos) << status;
  }

  fs::path root_;
  ProviderOptions options_;
  std::unique_ptr<import::ImporterRegistry> importers_;
  std::unique_ptr<engine::Catalogue> engines_;
  std::unique_ptr<CachedProvider> provider_;
  base::Result<tensor::ImportedModel> model_ = absl::UnknownError("nothing was provided");
};

TEST_F(CachedProviderTest, ARestartDoesNotImportAgain) {
  const std::string path = put("a", "fake\nhello\n");
  EXPECT_TRUE(imports(path, {{"k", "v"}}));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nhello\nk=v\n");
  EXPECT_EQ(model_->artefact.format, "onnx");
  EXPECT_EQ(model_->description.file, path);
  EXPECT_TRUE(model_->artefact.digest.starts_with("sha256:"));
  const std::string digest = model_->artefact.digest;
  start();
  EXPECT_FALSE(imports(path, {{"k", "v"}}));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nhello\nk=v\n");
  EXPECT_EQ(model_->description.file, path);
  EXPECT_EQ(model_->description.byte_size, 11U);
  EXPECT_EQ(model_->artefact.digest, digest);
}

TEST_F(CachedProviderTest, WhatAnImportDependsOnIsItsKey) {
  const std::string path = put("a", "fake\nhello\n");
  EXPECT_TRUE(imports(path));
  EXPECT_FALSE(imports(path));
  EXPECT_TRUE(imports(path, {{"batch", "2"}}));
  put("a", "fake\nworld\n");
  EXPECT_TRUE(imports(path));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nworld\n");
  start(2);
  EXPECT_TRUE(imports(path));
  options_.producer = "another version";
  start(2);
  EXPECT_TRUE(imports(path));
  EXPECT_FALSE(imports(path));
}

TEST_F(CachedProviderTest, FilesBesideCountByContent) {
  const std::string path = put("m/a", "fake\nbeside weights\n");
  put("m/weights", "1");
  put("m/unrelated", "x");
  EXPECT_TRUE(imports(path));
  start();
  EXPECT_FALSE(imports(path));
  put("m/unrelated", "y");
  EXPECT_FALSE(imports(path));
  put("m/weights", "2");
  EXPECT_TRUE(imports(path));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nbeside weights\n2");
  put("m/weights", "1");
  EXPECT_FALSE(imports(path));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nbeside weights\n1");
  // Elsewhere it is the same model.
  fs::copy(root_ / "models" / "m", root_ / "models" / "n");
  EXPECT_FALSE(imports((root_ / "models" / "n" / "a").string()));
  EXPECT_TRUE(model_->description.file.ends_with("models/n/a"));
  EXPECT_EQ(model_->artefact.path, (root_ / "models" / "n").string());
}

TEST_F(CachedProviderTest, OfASilentImporterEverythingBesideCounts) {
  const std::string path = put("m/a", "fake\nsilent weights\n");
  put("m/weights", "1");
  EXPECT_TRUE(imports(path));
  EXPECT_FALSE(imports(path));
  put("m/weights", "2");
  EXPECT_TRUE(imports(path));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nsilent weights\n2");
}

TEST_F(CachedProviderTest, AFolderCountsAsAWhole) {
  put("m/model.fake", "fake\nsilent weights\n");
  put("m/weights", "1");
  const std::string path = (root_ / "models" / "m").string();
  EXPECT_TRUE(imports(path));
  EXPECT_FALSE(imports(path));
  put("m/weights", "2");
  EXPECT_TRUE(imports(path));
}

TEST_F(CachedProviderTest, WhatHasJustChangedIsNotKeptByTime) {
  options_.settling = std::chrono::hours(1);
  start();
  const std::string path = put("m/a", "fake\nsilent weights\n");
  put("m/weights", "1");
  EXPECT_TRUE(imports(path));
  EXPECT_TRUE(imports(path));
  EXPECT_TRUE(imports(put("b", "fake\n")));  // alone, but in a folder that changes
}

TEST_F(CachedProviderTest, LightModelsNeedNoWorker) {
  const std::string path = put("a", "fake\nlight\n");
  options_.workers.command.program = "/nonexistent";
  start();
  EXPECT_FALSE(imports(path));
  EXPECT_FALSE(fs::exists(root_ / "cache"));
  EXPECT_FALSE(imports(put("net.onnx", test::mlp_model())));
}

TEST_F(CachedProviderTest, ACrashIsAnErrorThatNamesTheFile) {
  expect_failure(put("a", "fake\ncrash\n"), absl::StatusCode::kInternal, "crashed (SIGABRT");
  expect_failure(put("b", "fake\nexit\n"), absl::StatusCode::kInternal, "crashed (exit code 3");
}

TEST_F(CachedProviderTest, TheServerGoesOnAfterAnyFailure) {
  EXPECT_FALSE(failure(put("a", "fake\ncrash\n")).ok());
  EXPECT_EQ(provider_->worker_counters().failed, 1U);
  EXPECT_TRUE(imports(put("b", "fake\n")));
  EXPECT_EQ(provider_->worker_counters().done, 1U);
  // Nothing of the failure is left: a folder's entries, stamps and lock are of the one import.
  for (const auto& file : fs::directory_iterator(root_ / "cache")) {
    EXPECT_FALSE(file.path().filename().string().starts_with("draft")) << file.path();
  }
}

TEST_F(CachedProviderTest, TooMuchTimeIsAnError) {
  options_.workers.timeout = std::chrono::milliseconds(300);
  start();
  expect_failure(put("a", "fake\nhang\n"), absl::StatusCode::kDeadlineExceeded,
                 "took longer than 0.3 s");
}

TEST_F(CachedProviderTest, TooMuchMemoryIsAnError) {
#if SUPERNOVA_SANITIZED
  GTEST_SKIP() << "sanitizers need memory without a limit";
#endif
  options_.workers.memory_floor = uint64_t{256} << 20U;
  start();
  expect_failure(put("a", "fake\neat\n"), absl::StatusCode::kResourceExhausted, "256 MiB");
}

TEST_F(CachedProviderTest, ARefusalIsPassedOnAndNotKept) {
  const std::string path = put("a", "fake\nrefuse\n");
  for (int i = 0; i < 2; ++i) {
    expect_failure(path, absl::StatusCode::kInvalidArgument, "line 2: is not to be taken");
  }
  EXPECT_EQ(provider_->worker_counters().refused, 2U);
}

TEST_F(CachedProviderTest, AnAnswerThatIsNoneIsAnError) {
  expect_failure(put("a", "fake\ngarbage\n"), absl::StatusCode::kInternal, "no answer");
}

TEST_F(CachedProviderTest, AWorkerThatIsMissingIsSaid) {
  options_.workers.command.program = "/nonexistent/worker";
  start();
  const base::Status status = failure(put("a", "fake\n"));
  EXPECT_NE(base::message(status).find("/nonexistent/worker"), std::string_view::npos) << status;
}

TEST_F(CachedProviderTest, StopEndsWorkers) {
  const std::string path = put("a", "fake\nhang\n");
  auto waiting = std::async(std::launch::async, [&] { return failure(path); });
  provider_->stop();
  EXPECT_EQ(waiting.get().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(failure(path).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(provider_->worker_counters().failed, 0U);
}

TEST_F(CachedProviderTest, AWorkerInheritsNothing) {
  const fs::path file = put("other", "x");
  const base::File own(::open(file.c_str(), O_RDONLY));  // without O_CLOEXEC, as libraries do
  ASSERT_TRUE(own.is_open());
  EXPECT_TRUE(imports(put("a", "fake\ndescriptors\n")));
  ASSERT_EQ(model_->description.notes.size(), 1U);
  EXPECT_EQ(model_->description.notes[0], "0 1 2 3 4 5 ");
}

TEST_F(CachedProviderTest, WithoutACacheEverythingIsImported) {
  options_.cache_bytes = 0;
  start();
  const std::string path = put("a", "fake\nhello\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(imports(path));
    EXPECT_EQ(model_->artefact.bytes.view(), "fake\nhello\n");
  }
  EXPECT_FALSE(fs::exists(root_ / "cache"));
}

TEST_F(CachedProviderTest, AFullDiskIsNoFailure) {
  const std::string path = put("a", "fake\nfull\n");
  EXPECT_TRUE(imports(path));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nfull\n");
  EXPECT_TRUE(imports(path));
}

TEST_F(CachedProviderTest, ADamagedEntryIsMadeAgain) {
  const std::string path = put("a", "fake\nhello\n");
  EXPECT_TRUE(imports(path));
  for (const auto& file : fs::directory_iterator(root_ / "cache")) {
    if (file.path().extension() != ".entry") continue;
    fs::permissions(file.path(), fs::perms::owner_all);
    fs::resize_file(file.path(), file.file_size() - 1);
  }
  start();
  EXPECT_TRUE(imports(path));
  EXPECT_EQ(model_->artefact.bytes.view(), "fake\nhello\n");
  EXPECT_FALSE(imports(path));
}

std::vector<float> run_zeros(engine::Engine& engine, const tensor::Artefact& artefact) {
  const auto model = engine.open_model(artefact, {});
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return {};
  const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  const auto session = (*model)->open_session(cpu, {});
  tensor::Request request;
  tensor::Tensor input{"input", tensor::DataType::kFp32, {1, 16}, tensor::Buffer::allocate(64)};
  for (size_t i = 0; i < 16; ++i) {
    reinterpret_cast<float*>(input.buffer.data())[i] = static_cast<float>(i) - 7.5F;
  }
  request.inputs = {input};
  std::promise<base::Result<tensor::Response>> done;
  (*session)->run(request, [&](base::Result<tensor::Response> response) {
    done.set_value(std::move(response));
  });
  const auto response = done.get_future().get();
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return {};
  const tensor::Buffer& output = response->outputs.at(0).buffer;
  const auto* first = reinterpret_cast<const float*>(output.data());
  return {first, first + output.size() / sizeof(float)};
}

TEST_F(CachedProviderTest, PreparesOnceForAnEngine) {
  for (const std::string& path :
       {put("net.onnx", test::mlp_model()), put("net.fake", "fake\nonnx\n")}) {
    model_ = provider_->provide(path, {});
    ASSERT_TRUE(model_.ok()) << model_.status();
    const uint64_t before = provider_->worker_counters().done;
    const auto cold = provider_->prepare(*model_, "onnxruntime", {});
    ASSERT_TRUE(cold) << path;
    EXPECT_EQ(provider_->worker_counters().done, before + 1);
    EXPECT_EQ(cold->format, "ort");
    const auto engine = engines_->find("onnxruntime");
    ASSERT_TRUE(engine.ok()) << engine.status();
    const std::vector<float> expected = run_zeros(**engine, model_->artefact);
    EXPECT_EQ(expected.size(), 4U);
    EXPECT_EQ(run_zeros(**engine, *cold), expected);
    start();
    model_ = provider_->provide(path, {});
    const auto warm = provider_->prepare(*model_, "onnxruntime", {});
    ASSERT_TRUE(warm);
    EXPECT_EQ(provider_->worker_counters().done, 0U);
    EXPECT_EQ(warm->bytes.view(), cold->bytes.view());
    EXPECT_EQ(run_zeros(**engines_->find("onnxruntime"), *warm), expected);
    EXPECT_TRUE(
        provider_->prepare(*model_, "onnxruntime", {{"graph_optimization_level", "basic"}}));
    EXPECT_EQ(provider_->worker_counters().done, 1U);
  }
}

TEST_F(CachedProviderTest, PreparesOnlyWhatPays) {
  const std::string path = put("net.onnx", test::mlp_model());
  model_ = provider_->provide(path, {});
  ASSERT_TRUE(model_.ok());
  EXPECT_FALSE(provider_->prepare(*model_, "no-such-engine", {}));
  EXPECT_FALSE(provider_->prepare(*model_, "onnxruntime", {{"prepare", "never"}}));
  options_.prepare_from = model_->description.byte_size + 1;
  start();
  EXPECT_FALSE(provider_->prepare(*model_, "onnxruntime", {}));
  EXPECT_TRUE(provider_->prepare(*model_, "onnxruntime", {{"prepare", "always"}}));
  options_.prepare_from = 0;
  options_.cache_bytes = 0;
  start();
  EXPECT_FALSE(provider_->prepare(*model_, "onnxruntime", {}));
  EXPECT_EQ(provider_->worker_counters().done, 0U);
}

TEST_F(CachedProviderTest, WhatCanNotBeOpenedIsNotPrepared) {
  const std::string path = put("a", "fake\nhello\n");  // whose artefact is no model
  model_ = provider_->provide(path, {});
  ASSERT_TRUE(model_.ok());
  EXPECT_FALSE(provider_->prepare(*model_, "onnxruntime", {}));
  EXPECT_EQ(provider_->worker_counters().refused, 1U);
}

TEST(CpuType, DependsOnInstructionSets) {
  const std::string one =
      "processor\t: 0\nmodel name\t: a\ncpu MHz\t\t: 2000\nflags\t\t: sse avx\n";
  const std::string faster =
      "processor\t: 0\nmodel name\t: a\ncpu MHz\t\t: 3000\nflags\t\t: sse avx\n";
  const std::string wider =
      "processor\t: 0\nmodel name\t: a\ncpu MHz\t\t: 2000\nflags\t\t: sse avx2\n";
  EXPECT_EQ(cpu_type_of("x86_64", one), cpu_type_of("x86_64", one + "\n" + faster));
  EXPECT_NE(cpu_type_of("x86_64", one), cpu_type_of("x86_64", wider));
  EXPECT_NE(cpu_type_of("x86_64", one), cpu_type_of("aarch64", one));
  EXPECT_EQ(cpu_type(), cpu_type());
  EXPECT_FALSE(cpu_type().empty());
}

}  // namespace
}  // namespace supernova::compile
