#include "compile/artefact_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "compile/cache_folder.h"
#include "compile/cache_sweep.h"
#include "compile/key.h"

namespace supernova::compile {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kRoomy = uint64_t{1} << 30U;
constexpr uint64_t kPage = 4096;

std::string key_of(int number) { return KeyBuilder().add(std::to_string(number)).finish(); }

// Different for each number, and larger than one write's worth.
std::string payload_of(int number) {
  return std::string(20000, static_cast<char>('a' + number % 26));
}

void store(ArtefactCache& cache, int number) {
  auto draft = cache.draft();
  if (!draft.ok()) return;
  EntryWriter writer(draft->file());
  const std::string payload = payload_of(number);
  (void)writer.append(std::as_bytes(std::span(payload.data(), payload.size())));
  if (writer.finish("record").ok()) cache.keep(*draft, key_of(number));
}

bool has(ArtefactCache& cache, int number) {
  const auto entry = cache.find(key_of(number));
  if (!entry) return false;
  EXPECT_EQ(entry->payload.view(), payload_of(number));
  EXPECT_EQ(entry->record, "record");
  return true;
}

class ArtefactCacheTest : public ::testing::Test {
 protected:
  ArtefactCacheTest() {
    root_ = fs::temp_directory_path() /
            ("supernova-cache-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(root_);
    folder_ = root_ / "cache";
  }
  ~ArtefactCacheTest() override { fs::remove_all(root_); }

  ArtefactCache cache(uint64_t byte_size = kRoomy) const {
    return ArtefactCache(folder_.string(), byte_size);
  }
  fs::path entry_path(int number) const { return folder_ / (key_of(number) + ".entry"); }
  size_t count(std::string_view suffix) const {
    size_t found = 0;
    for (const auto& file : fs::directory_iterator(folder_)) {
      found += file.path().filename().string().ends_with(suffix) ? 1 : 0;
    }
    return found;
  }
  uint64_t entry_bytes() const {
    uint64_t bytes = 0;
    for (const auto& file : fs::directory_iterator(folder_)) {
      if (file.path().extension() == ".entry") bytes += file.file_size();
    }
    return bytes;
  }
  size_t drafts() const {
    size_t found = 0;
    for (const auto& file : fs::directory_iterator(folder_)) {
      found += file.path().filename().string().starts_with(kDraftPrefix) ? 1 : 0;
    }
    return found;
  }

  fs::path root_;
  fs::path folder_;
};

TEST_F(ArtefactCacheTest, KeepsAcrossStarts) {
  {
    ArtefactCache first = cache();
    EXPECT_FALSE(has(first, 1));
    store(first, 1);
    EXPECT_TRUE(has(first, 1));
    EXPECT_EQ(first.counters().hits, 1U);
    EXPECT_EQ(first.counters().misses, 1U);
  }
  ArtefactCache second = cache();
  EXPECT_TRUE(has(second, 1));
  EXPECT_FALSE(has(second, 2));
  struct stat info {};
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  EXPECT_EQ(drafts(), 0U);
}

TEST_F(ArtefactCacheTest, LooksAtNothingBeforeItIsAsked) {
  const ArtefactCache unused = cache();
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(ArtefactCacheTest, OffMeansInMemory) {
  for (ArtefactCache* off : {new ArtefactCache("", kRoomy), new ArtefactCache(folder_, 0)}) {
    const std::unique_ptr<ArtefactCache> owned(off);
    store(*off, 1);
    EXPECT_FALSE(has(*off, 1));
    const auto draft = off->draft();
    ASSERT_TRUE(draft.ok());
    EXPECT_TRUE(draft->in_memory());
    EntryWriter writer(draft->file());
    ASSERT_TRUE(writer.finish("record").ok());
    EXPECT_EQ(ArtefactCache::open(*draft)->record, "record");
  }
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(ArtefactCacheTest, RemovesADamagedEntry) {
  ArtefactCache used = cache();
  const auto damage = [&](auto change) {
    store(used, 1);
    ASSERT_TRUE(has(used, 1));
    fs::permissions(entry_path(1), fs::perms::owner_all);
    change();
    EXPECT_FALSE(used.find(key_of(1)));
    EXPECT_FALSE(fs::exists(entry_path(1)));
  };
  damage([&] { fs::resize_file(entry_path(1), kPage + 10); });
  damage([&] { fs::resize_file(entry_path(1), 0); });
  damage([&] {
    const auto time = fs::last_write_time(entry_path(1));
    std::fstream stream(entry_path(1), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(kPage + 5000);
    stream.put('!');
    stream.close();
    fs::last_write_time(entry_path(1), time);
  });
  EXPECT_EQ(used.counters().damaged, 3U);
  store(used, 1);
  EXPECT_TRUE(has(used, 1));
}

TEST_F(ArtefactCacheTest, ReadsWithoutItsStamp) {
  ArtefactCache used = cache();
  store(used, 1);
  for (const char* content : {"", "nonsense"}) {
    std::ofstream(folder_ / (key_of(1) + ".used")) << content;
    EXPECT_TRUE(has(used, 1));
  }
  fs::remove(folder_ / (key_of(1) + ".used"));
  EXPECT_TRUE(has(used, 1));
}

TEST_F(ArtefactCacheTest, WhatWasUsedLongestAgoGoesFirst) {
  const uint64_t size = kPage + payload_of(0).size() + 6;
  ArtefactCache used = cache(3 * size);
  for (const int number : {1, 2, 3}) {
    store(used, number);
    // Times of files are coarse: set apart by hand.
    fs::last_write_time(folder_ / (key_of(number) + ".used"),
                        fs::file_time_type::clock::now() - std::chrono::hours(10 - number));
    fs::last_write_time(entry_path(number),
                        fs::file_time_type::clock::now() - std::chrono::hours(20));
  }
  EXPECT_TRUE(has(used, 1));
  store(used, 4);
  EXPECT_TRUE(has(used, 1));
  EXPECT_FALSE(has(used, 2));
  EXPECT_TRUE(has(used, 3));
  EXPECT_TRUE(has(used, 4));
  EXPECT_EQ(used.counters().evictions, 1U);
  EXPECT_LE(entry_bytes(), 3 * size);
  EXPECT_EQ(count(".used"), 3U);
}

TEST_F(ArtefactCacheTest, AnEvictedEntryStaysMapped) {
  ArtefactCache used = cache(kPage + payload_of(0).size() + 100);
  store(used, 1);
  const auto held = used.find(key_of(1));
  ASSERT_TRUE(held);
  store(used, 2);
  EXPECT_FALSE(has(used, 1));
  EXPECT_EQ(held->payload.view(), payload_of(1));
}

TEST_F(ArtefactCacheTest, KeepsNothingLargerThanItself) {
  ArtefactCache small = cache(10000);
  store(small, 1);
  EXPECT_FALSE(has(small, 1));
  EXPECT_EQ(entry_bytes(), 0U);
  EXPECT_EQ(drafts(), 0U);
}

TEST_F(ArtefactCacheTest, WorksWithoutAFolder) {
  std::ofstream(root_ / "file") << "no folder";
  ArtefactCache under_file((root_ / "file" / "cache").string(), kRoomy);
  EXPECT_FALSE(under_file.ready());
  store(under_file, 1);
  EXPECT_FALSE(has(under_file, 1));
  EXPECT_TRUE(under_file.draft()->in_memory());
}

TEST_F(ArtefactCacheTest, RefusesAFolderThatEverybodyMayWriteTo) {
  fs::create_directories(folder_);
  fs::permissions(folder_, fs::perms::all);
  ArtefactCache open_to_all = cache();
  EXPECT_FALSE(open_to_all.ready());
  EXPECT_NE(prepare_cache_folder(folder_).message().find("chmod"), std::string::npos);
}

TEST_F(ArtefactCacheTest, GoesOnWhenItsFolderIsGone) {
  ArtefactCache used = cache();
  store(used, 1);
  fs::remove_all(folder_);
  EXPECT_FALSE(has(used, 1));
  EXPECT_TRUE(used.draft()->in_memory());
}

TEST_F(ArtefactCacheTest, LeavesLivingDraftsAndSweepsDeadOnes) {
  ArtefactCache used = cache();
  ASSERT_TRUE(used.ready());
  std::ofstream(folder_ / "draft-dead") << "left by a crash";
  std::ofstream(folder_ / (key_of(9) + ".used")) << "of nothing";
  const auto living = used.draft();
  ASSERT_TRUE(living.ok());
  store(used, 1);
  EXPECT_FALSE(fs::exists(folder_ / "draft-dead"));
  EXPECT_FALSE(fs::exists(folder_ / (key_of(9) + ".used")));
  EXPECT_TRUE(fs::exists(living->path()));
}

// Runs `body` in another process, killed before its system call number `calls`. Whether it was: it
// may have ended before.
template <typename Body>
bool killed_before_call(int calls, Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  int status = 0;
  for (int stops = 0; ::waitpid(child, &status, 0) == child && WIFSTOPPED(status); ++stops) {
    // Each call stops twice, when it begins and when it has ended.
    if (stops > 2 * calls) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return true;
    }
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) throw std::runtime_error("no ptrace");
  return false;
}

TEST_F(ArtefactCacheTest, IsSafeWhenKilledAtAnySystemCall) {
  const uint64_t size = kPage + payload_of(0).size() + 6;
  const uint64_t limit = 2 * size;
  bool killed = true;
  int calls = 0;
  for (; killed && calls < 1000; ++calls) {
    fs::remove_all(folder_);
    ArtefactCache before = cache(limit);
    store(before, 1);
    store(before, 2);
    try {
      killed = killed_before_call(calls, [&] {
        ArtefactCache inside = cache(limit);
        store(inside, 3);  // which makes 1 or 2 go
        (void)inside.find(key_of(2));
      });
    } catch (const std::runtime_error&) {
      GTEST_SKIP() << "processes can't be traced here";
    }
    ArtefactCache after = cache(limit);
    EXPECT_LE(entry_bytes(), limit) << calls;
    const int left = has(after, 1) + has(after, 2) + has(after, 3);
    EXPECT_GE(left, 1) << calls;
    EXPECT_EQ(after.counters().damaged, 0U) << calls;
    store(after, 4);
    EXPECT_TRUE(has(after, 4)) << calls;
    EXPECT_EQ(drafts(), 0U) << calls;
    EXPECT_LE(entry_bytes(), limit) << calls;
    if (HasFailure()) break;
  }
  EXPECT_FALSE(killed);
  EXPECT_GT(calls, 20);
}

TEST_F(ArtefactCacheTest, ManyProcessesAtOnce) {
  constexpr int kProcesses = 6;
  constexpr int kKeys = 8;
  const uint64_t limit = 4 * (kPage + payload_of(0).size() + 6);
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = ::fork();
    if (child == 0) {
      ArtefactCache own = cache(limit);
      unsigned seed = static_cast<unsigned>(process) + 1;
      for (int round = 0; round < 60; ++round) {
        const int number = ::rand_r(&seed) % kKeys;
        const auto entry = own.find(key_of(number));
        if (entry && entry->payload.view() != payload_of(number)) ::_exit(1);
        if (!entry) store(own, number);
        // Some die in the middle of it.
        if (process == 0 && round == 40) ::raise(SIGKILL);
      }
      ::_exit(own.counters().damaged == 0 ? 0 : 2);
    }
    children.push_back(child);
  }
  for (size_t i = 0; i < children.size(); ++i) {
    int status = 0;
    ASSERT_EQ(::waitpid(children[i], &status, 0), children[i]);
    const bool killed = i == 0;
    EXPECT_TRUE(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) << i << ": " << status;
  }
  EXPECT_LE(entry_bytes(), limit);
  ArtefactCache after = cache(limit);
  int found = 0;
  for (int number = 0; number < kKeys; ++number) found += has(after, number);
  EXPECT_GE(found, 1);
  EXPECT_EQ(after.counters().damaged, 0U);
}

TEST(CacheFolder, FollowsTheEnvironment) {
  const auto with = [](const char* own, const char* common, const char* home) {
    const std::pair<const char*, const char*> set[] = {
        {"SUPERNOVA_CACHE_DIR", own}, {"XDG_CACHE_HOME", common}, {"HOME", home}};
    std::vector<std::pair<const char*, std::string>> before;
    for (const auto& [name, value] : set) {
      const char* old = std::getenv(name);
      before.emplace_back(name, old != nullptr ? old : "");
      ::setenv(name, value, 1);
    }
    const std::string folder = default_cache_folder();
    for (const auto& [name, value] : before) ::setenv(name, value.c_str(), 1);
    return folder;
  };
  EXPECT_EQ(with("/own", "/common", "/home"), "/own");
  EXPECT_EQ(with("", "/common", "/home"), "/common/supernova");
  EXPECT_EQ(with("", "relative", "/h"), "/h/.cache/supernova");
  EXPECT_EQ(with("", "", ""), "");
}

}  // namespace
}  // namespace supernova::compile
