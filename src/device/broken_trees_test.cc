// Recorded trees (tests/program/trees) of which files and folders are broken one after the other:
// whatever is there, the devices come in time and as JSON, and none is without a reason.
#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/sanitized.h"
#include "base/text.h"
#include "device/device.h"
#include "support/recorded_tree.h"

namespace supernova::device {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}
std::string noise() {
  std::string bytes;
  for (uint32_t i = 0, state = 1; i < 600; ++i) {
    bytes += static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  }
  return bytes;
}
std::string deep_path() {
  std::string path = "0::";
  for (int i = 0; i < 100'000; ++i) path += "/a";
  return path;
}

// Makes something else of a file that was taken away.
struct Breakage {
  const char* what;
  void (*make)(const fs::path& path);
};
constexpr Breakage kBreakages[] = {
    {"is gone", [](const fs::path&) {}},
    {"is empty", [](const fs::path& path) { put(path, ""); }},
    {"is noise", [](const fs::path& path) { put(path, noise()); }},
    {"is one long line", [](const fs::path& path) { put(path, std::string(300'000, '9')); }},
    {"is one long path", [](const fs::path& path) { put(path, deep_path()); }},
    {"is no number", [](const fs::path& path) { put(path, "nan -1 1e308 0x\n"); }},
    {"never ends", [](const fs::path& path) { fs::create_symlink("/dev/zero", path); }},
    {"is a folder", [](const fs::path& path) { fs::create_directory(path); }},
    {"leads nowhere", [](const fs::path& path) { fs::create_symlink("no/such/file", path); }},
    {"leads to itself", [](const fs::path& path) { fs::create_symlink(path.filename(), path); }},
    {"is a pipe", [](const fs::path& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); }},
};

// Each file has its turn with some of them, and each of them with many files.
constexpr int kForEach = SUPERNOVA_SANITIZED ? 1 : 4;

void expect_sound(const std::vector<Device>& devices, const std::string& what) {
  const auto is_text = [](std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
  };
  for (const Device& device : devices) {
    SCOPED_TRACE(base::str_cat(what, ": ", device.id));
    EXPECT_FALSE(device.state == DeviceState::kUnusable && device.missing.empty());
    EXPECT_FALSE(device.state == DeviceState::kUnhealthy && device.health.empty());
    EXPECT_NE(device.state, DeviceState::kNotAnswering) << device.health;
    EXPECT_LE(device.model.size() + device.uuid.size() + device.driver_version.size(), 1000U);
    EXPECT_TRUE(is_text(device.model + device.missing + device.health + device.address)) << what;
  }
  simdjson::dom::parser parser;
  const std::string json = devices_json(devices);
  EXPECT_EQ(parser.parse(json).error(), simdjson::SUCCESS) << what << ": " << json;
}

class BrokenTreesTest : public ::testing::Test {
 protected:
  void break_each(const fs::path& tree_file) {
    test::RecordedTree tree;
    std::ifstream in(tree_file);
    tree.add(std::string(std::istreambuf_iterator<char>(in), {}));
    const std::vector<Device> whole = discover(tree.root());
    ASSERT_FALSE(whole.empty()) << tree_file;
    expect_sound(whole, tree_file);
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(tree.root())) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    const fs::path away = tree.root() + ".away";
    size_t turn = 0;
    for (const fs::path& path : paths) {
      for (int i = 0; i < kForEach; ++i) {
        const Breakage& breakage = kBreakages[turn++ % std::size(kBreakages)];
        fs::rename(path, away);
        breakage.make(path);
        const std::string what =
            base::str_cat(tree_file.filename().string(), ": ",
                          path.lexically_relative(tree.root()).string(), " ", breakage.what);
        expect_sound(discover(tree.root()), what);
        fs::remove_all(path);
        fs::rename(away, path);
        if (HasFailure()) return;
      }
    }
  }
};

TEST_F(BrokenTreesTest, OneFileAfterTheOther) {
  const char* const source = std::getenv("SUPERNOVA_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "SUPERNOVA_SOURCE_DIR is not set";
  int trees = 0;
  for (const auto& entry : fs::directory_iterator(base::str_cat(source, "/tests/program/trees"))) {
    if (entry.path().extension() != ".tree") continue;
    break_each(entry.path());
    ++trees;
  }
  EXPECT_GE(trees, 11);
}

}  // namespace
}  // namespace supernova::device
