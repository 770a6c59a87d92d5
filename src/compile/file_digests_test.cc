#include "compile/file_digests.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;

constexpr size_t kLarge = size_t{2} << 20U;

class FileDigestsTest : public ::testing::Test {
 protected:
  FileDigestsTest() {
    folder_ = fs::temp_directory_path() /
              ("supernova-digests-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_ / "cache");
    fs::create_directories(folder_ / "models");
  }
  ~FileDigestsTest() override { fs::remove_all(folder_); }

  std::string put(const std::string& name, const std::string& content) const {
    const fs::path path = folder_ / "models" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  FileDigests digests(nanoseconds settling = nanoseconds(0)) const {
    return {(folder_ / "cache").string(), settling};
  }
  size_t remembered() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(FileDigestsTest, KnowsContent) {
  const std::string path = put("a", "abc");
  const auto digested = digests().digest(path);
  ASSERT_TRUE(digested.ok()) << digested.status();
  EXPECT_EQ(digested->digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digested->identity.size, 3U);
  EXPECT_EQ(remembered(), 0U);  // reading it is faster
  EXPECT_EQ(digests().digest(path + "x").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(digests().digest(folder_.string()).ok());
}

TEST_F(FileDigestsTest, RemembersLargeFilesThatRest) {
  const std::string path = put("large", std::string(kLarge, 'x'));
  const auto first = digests(std::chrono::hours(1)).digest(path);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->settled);
  EXPECT_EQ(remembered(), 0U);  // it may still be written to
  const auto second = digests().digest(path);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->digest, first->digest);
  EXPECT_EQ(remembered(), 1U);
  // What is remembered is used: another digest that is as well formed would be believed.
  EXPECT_EQ(digests().digest(path)->digest, first->digest);
}

TEST_F(FileDigestsTest, SeesEveryChange) {
  const std::string path = put("large", std::string(kLarge, 'x'));
  const std::string before = digests().digest(path)->digest;
  const auto time = fs::last_write_time(path);
  put("large", std::string(kLarge, 'y'));
  fs::last_write_time(path, time);  // the change time tells
  const auto after = digests().digest(path);
  ASSERT_TRUE(after.ok());
  EXPECT_NE(after->digest, before);
}

TEST_F(FileDigestsTest, BelievesNoDamagedMemory) {
  const std::string path = put("large", std::string(kLarge, 'x'));
  const std::string digest = digests().digest(path)->digest;
  const fs::path memory = fs::directory_iterator(folder_ / "cache")->path();
  std::ifstream stream(memory);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  for (size_t size = 0; size < content.size(); size += 7) {
    std::ofstream(memory) << content.substr(0, size);
    EXPECT_EQ(digests().digest(path)->digest, digest) << size;
  }
  std::string changed = content;
  changed[content.find(digest)] ^= 1;
  std::ofstream(memory) << changed;
  EXPECT_EQ(digests().digest(path)->digest, digest);
}

TEST_F(FileDigestsTest, ChecksThatNothingChanged) {
  const std::string path = put("a", "abc");
  const FileDigests settled = digests();
  const auto before = settled.digest_all(path);
  ASSERT_TRUE(before.ok());
  EXPECT_TRUE(settled.check_unchanged(*before).ok());
  put("a", "abcd");
  const base::Status changed = settled.check_unchanged(*before);
  EXPECT_EQ(changed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(changed.message().find(path), std::string::npos);
  fs::remove(path);
  EXPECT_FALSE(settled.check_unchanged(*before).ok());
}

TEST_F(FileDigestsTest, WalksFoldersInOrder) {
  put("b/two", "2");
  put("a", "1");
  const auto all = digests().digest_all((folder_ / "models").string());
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2U);
  EXPECT_TRUE((*all)[0].path.ends_with("models/a"));
  EXPECT_TRUE((*all)[1].path.ends_with("models/b/two"));
}

TEST_F(FileDigestsTest, ListsWhatRests) {
  put("a", "1");
  const std::string models = (folder_ / "models").string();
  EXPECT_FALSE(digests(std::chrono::hours(1)).list(models).ok());
  const auto before = digests().list(models);
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(*digests().list(models), *before);
  put("b", "2");
  EXPECT_NE(*digests().list(models), *before);
}

}  // namespace
}  // namespace supernova::compile
