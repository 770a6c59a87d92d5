#include "compile/entry_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

namespace supernova::compile {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

base::File memory_file() { return base::File(::memfd_create("entry", MFD_CLOEXEC)); }

base::File entry_of(const std::string& payload, const std::string& record) {
  base::File file = memory_file();
  EntryWriter writer(file.get());
  const size_t half = payload.size() / 2;
  EXPECT_TRUE(writer.append(bytes_of(payload).first(half)).ok());
  EXPECT_TRUE(writer.append(bytes_of(payload).subspan(half)).ok());
  EXPECT_TRUE(writer.finish(record).ok());
  return file;
}

std::string content_of(const base::File& file) {
  ::lseek(file.get(), 0, SEEK_SET);
  return base::read_all(file.get(), 1 << 20).value();
}

base::File file_with(const std::string& content) {
  base::File file = memory_file();
  EXPECT_TRUE(base::write_all(file.get(), content).ok());
  return file;
}

// What find() does without a stamp.
base::Status take(const base::File& file) {
  SN_ASSIGN(const EntryHeader header, read_entry_header(file.get()));
  return verify_entry(file.get(), header);
}

TEST(EntryFile, ReadsBackWhatWasWritten) {
  for (const std::string& payload :
       {std::string(), std::string("weights"), std::string(9000, 'w')}) {
    const base::File file = entry_of(payload, "a record");
    const auto header = read_entry_header(file.get());
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_TRUE(verify_entry(file.get(), *header).ok());
    EXPECT_EQ(*read_entry_record(file.get(), *header), "a record");
    const auto mapped = map_entry_payload(file.get(), *header);
    ASSERT_TRUE(mapped.ok()) << mapped.status();
    EXPECT_EQ(mapped->view(), payload);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(mapped->data()) % 4096, 0U);
  }
}

TEST(EntryFile, StoresNoZeros) {
  const size_t size = size_t{4} << 20U;
  std::string payload = "weights" + std::string(size, '\0');
  payload += "more" + std::string(size, '\0');
  for (const std::string& record : {std::string(), std::string("a record")}) {
    const base::File file = entry_of(payload, record);
    struct stat info {};
    ASSERT_EQ(::fstat(file.get(), &info), 0);
    EXPECT_LT(info.st_blocks * 512, 1 << 20);
    const auto header = read_entry_header(file.get());
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_TRUE(verify_entry(file.get(), *header).ok());
    EXPECT_EQ(map_entry_payload(file.get(), *header)->view(), payload);
  }
}

TEST(EntryFile, IsRefusedAtEveryOtherLength) {
  const std::string content = content_of(entry_of("weights", "a record"));
  for (size_t size = 0; size < content.size(); ++size) {
    EXPECT_EQ(take(file_with(content.substr(0, size))).code(), absl::StatusCode::kDataLoss) << size;
  }
  EXPECT_EQ(take(file_with(content + "x")).code(), absl::StatusCode::kDataLoss);
}

TEST(EntryFile, IsRefusedWhenAnyByteThatCountsChanged) {
  const std::string content = content_of(entry_of("weights", "a record"));
  size_t refused = 0;
  for (size_t at = 0; at < content.size(); ++at) {
    std::string changed = content;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    refused += take(file_with(changed)).ok() ? 0 : 1;
  }
  // All but the rest of the header's page.
  EXPECT_EQ(refused, 16U + 3 * 8 + 3 * 64 + 7 + 8);
}

TEST(EntryFile, OneWithoutItsHeaderIsNone) {
  const base::File file = memory_file();
  EntryWriter writer(file.get());
  ASSERT_TRUE(writer.append(bytes_of("weights")).ok());
  EXPECT_EQ(take(file).code(), absl::StatusCode::kDataLoss);
}

TEST(EntryFile, AFullDiskIsSaid) {
  const base::File full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.is_open());
  EntryWriter writer(full.get());
  EXPECT_FALSE(writer.append(bytes_of("weights")).ok());
  EXPECT_FALSE(writer.finish("a record").ok());
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace supernova::compile
