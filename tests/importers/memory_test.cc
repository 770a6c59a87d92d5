// What an import takes: `supernova convert` and its worker, over models of 25 MB that are written
// here, take twice the model's size and 50 MB at most.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/sanitized.h"
#include "support/tflite_builder.h"

namespace supernova {
namespace {

namespace fs = std::filesystem;
using test::FlatTable;
using test::TfModel;
using test::TfTensor;
using test::TfType;

constexpr int32_t kChannels = 512;
constexpr uint64_t kSize = 25'000'000;
constexpr uint64_t kMargin = 50'000'000;

// Weights of any kind: what matters is their size. Halves are widened as converters write it.
int32_t weights(TfModel& model, TfType type, std::vector<int32_t> shape) {
  size_t count = 1;
  for (const int32_t size : shape) count *= static_cast<size_t>(size);
  if (type == TfType::kFloat32) return model.tensor({type, shape, std::string(count * 4, '\0')});
  const int32_t stored = model.tensor({type, shape, std::string(count * 2, '\1')});
  const int32_t wide = model.tensor({TfType::kFloat32, shape});
  return model.op("DEQUANTIZE", {stored}, {wide});
}

// A chain of convolutions, with weights of kSize bytes in all.
std::string conv_net(TfType type) {
  TfModel model;
  int32_t at = model.input({TfType::kFloat32, {1, 4, 4, kChannels}});
  const uint64_t each =
      uint64_t{3} * 3 * kChannels * kChannels * (type == TfType::kFloat16 ? 2 : 4);
  for (uint64_t made = 0; made < kSize; made += each) {
    const int32_t w = weights(model, type, {kChannels, 3, 3, kChannels});
    const int32_t bias = weights(model, type, {kChannels});
    const int32_t y = model.tensor({TfType::kFloat32, {1, 4, 4, kChannels}});
    at = model.op("CONV_2D", {at, w, bias}, {y},
                  FlatTable().number<int8_t>(0, 0).number<int32_t>(1, 1).number<int32_t>(2, 1));
  }
  model.set_outputs({at});
  return model.file();
}

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "import_memory_XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

// Writes the model in a process of its own: what starts a program passes its own peak on to it.
bool write_model(TfType type, const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::ofstream out(path, std::ios::binary);
    const std::string content = conv_net(type);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    ::_exit(out ? 0 : 1);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

// The most memory that a process of the command held, in bytes; 0 where it failed.
uint64_t peak_of_convert(const std::string& model, const Folder& folder) {
  const std::string program = std::getenv("SUPERNOVA_BINARY");
  const std::string output = folder.file("model.onnx");
  ::setenv("SUPERNOVA_CACHE_DIR", folder.file("cache").c_str(), 1);
  const char* arguments[] = {program.c_str(), "convert", model.c_str(), "-o",
                             output.c_str(),  nullptr};
  pid_t child = 0;
  if (::posix_spawn(&child, program.c_str(), nullptr, nullptr, const_cast<char**>(arguments),
                    environ) != 0) {
    return 0;
  }
  int status = 1;
  struct rusage usage {};
  if (::wait4(child, &status, 0, &usage) != child || status != 0) return 0;
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

class ImportMemory : public testing::TestWithParam<TfType> {};

TEST_P(ImportMemory, TwiceTheModelAndAMargin) {
#if SUPERNOVA_SANITIZED
  GTEST_SKIP() << "a sanitizer takes memory of its own";
#endif
  if (std::getenv("SUPERNOVA_BINARY") == nullptr || !fs::exists(std::getenv("SUPERNOVA_BINARY"))) {
    GTEST_SKIP() << "the program is not built";
  }
  const Folder folder;
  const std::string model = folder.file("model.tflite");
  ASSERT_TRUE(write_model(GetParam(), model));
  const uint64_t size = fs::file_size(model);
  ASSERT_GE(size, kSize);
  const uint64_t peak = peak_of_convert(model, folder);
  ASSERT_GT(peak, size / 2) << "it has failed";
  EXPECT_LE(peak, 2 * size + kMargin) << "of " << size;
  // Weights are held once as they come and once as they go out; what else there is is small.
  EXPECT_LE(fs::file_size(folder.file("model.onnx")), size + (1U << 20U));
  RecordProperty("peak_mb", std::to_string(peak / 1'000'000));
}

INSTANTIATE_TEST_SUITE_P(Types, ImportMemory, testing::Values(TfType::kFloat32, TfType::kFloat16),
                         [](const auto& info) {
                           return info.param == TfType::kFloat32 ? "Float" : "Half";
                         });

}  // namespace
}  // namespace supernova
