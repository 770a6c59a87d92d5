#include "model/manifest.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace supernova::model {
namespace {

namespace fs = std::filesystem;

TEST(Manifest, DigestsAreThoseOfSha256sum) {
  const fs::path folder =
      fs::temp_directory_path() / ("supernova-digest-" + std::to_string(getpid()));
  fs::create_directories(folder / "b");
  std::ofstream(folder / "a") << "abc";
  std::ofstream(folder / "b/c") << "";
  std::ofstream(folder / ".hidden") << "x";
  const auto go_on = [] { return false; };
  const auto content = digest_content(folder.string(), go_on);
  ASSERT_TRUE(content.ok()) << content.status();
  ASSERT_EQ(content->files.size(), 2U);
  // The standard's own test vectors: "abc" and nothing.
  EXPECT_EQ(content->files[0].sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(content->files[1].path, "b/c");
  EXPECT_EQ(content->files[1].sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // printf of the two lines | sha256sum
  EXPECT_EQ(content->digest,
            "sha256:6eba35d7428180154eea7332bad049a6c0105a4bbd23c3a7542600305d2cbedb");
  EXPECT_EQ(digest_content((folder / "a").string(), go_on)->files[0].path, "a");
  EXPECT_TRUE(absl::IsCancelled(digest_content(folder.string(), [] { return true; }).status()));
  EXPECT_FALSE(digest_content((folder / "none").string(), go_on).ok());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace supernova::model
