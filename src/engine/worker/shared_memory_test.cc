#include "engine/worker/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <set>

#include "engine/worker/arena.h"
#include "engine/worker/packet_socket.h"

namespace supernova::engine::worker {
namespace {

base::File copy_of(int file) { return base::File(::fcntl(file, F_DUPFD_CLOEXEC, 0)); }

TEST(SharedMemory, IsSeenByBoth) {
  const auto ours = SharedMemory::create("test", 4096);
  ASSERT_TRUE(ours.ok()) << ours.status();
  const auto theirs = SharedMemory::map(copy_of(ours->file()), 4096);
  ASSERT_TRUE(theirs.ok()) << theirs.status();
  ours->data()[7] = std::byte{9};
  EXPECT_EQ(theirs->data()[7], std::byte{9});
}

TEST(SharedMemory, CannotShrinkUnderItsReader) {
  const auto ours = SharedMemory::create("test", 4096);
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_NE(::ftruncate(ours->file(), 0), 0);
  EXPECT_NE(::ftruncate(ours->file(), 8192), 0);
  EXPECT_FALSE(SharedMemory::map(copy_of(ours->file()), 8192).ok()) << "another size";
  base::File open(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(open.get(), 4096), 0);
  EXPECT_FALSE(SharedMemory::map(copy_of(open.get()), 4096).ok()) << "it could shrink";
  EXPECT_FALSE(SharedMemory::map_sealed(std::move(open), 4096).ok());
  EXPECT_FALSE(SharedMemory::map_sealed(copy_of(ours->file()), 4096).ok()) << "it could change";
  EXPECT_FALSE(SharedMemory::map(base::File(::open("/dev/null", O_RDWR)), 0).ok());
}

TEST(SharedMemory, SealedContentIsWhatItWas) {
  const std::string text = "content";
  auto file = sealed_copy("test", std::as_bytes(std::span(text.data(), text.size())));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_NE(::pwrite(file->get(), "x", 1, 0), 1);
  const auto memory = SharedMemory::map_sealed(*std::move(file), text.size());
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(std::memcmp(memory->data(), text.data(), text.size()), 0);
}

TEST(PacketSocket, CarriesBodiesOfAnySizeAndFiles) {
  auto ends = PacketSocket::make_pair();
  ASSERT_TRUE(ends.ok()) << ends.status();
  for (const size_t size : {size_t{0}, size_t{8}, size_t{32} << 10U, size_t{5} << 20U}) {
    const std::string body(size, 'b');
    ASSERT_TRUE(ends->first.send(3, size + 1, body, {0, 1}).ok());
    const auto message = ends->second.receive();
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_EQ(message->type, 3U);
    EXPECT_EQ(message->id, size + 1);
    EXPECT_EQ(message->body, body);
    EXPECT_EQ(message->files.size(), 2U);
    EXPECT_EQ(::fcntl(message->files[0].get(), F_GETFD), FD_CLOEXEC);
  }
  EXPECT_TRUE(absl::IsNotFound(ends->second.receive(false).status()));
  ends->first.close();
  EXPECT_TRUE(absl::IsOutOfRange(ends->second.receive().status()));
  EXPECT_FALSE(ends->second.send(1, 1, "x").ok());
}

TEST(PacketSocket, RefusesWhatIsNoMessage) {
  auto ends = PacketSocket::make_pair();
  ASSERT_TRUE(ends.ok()) << ends.status();
  const auto sent = [&](std::string_view bytes) {
    EXPECT_EQ(::write(ends->first.descriptor(), bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    return ends->second.receive().status();
  };
  EXPECT_TRUE(absl::IsInternal(sent("short")));
  // A type, "the body is a file", an id and a size, without the file; then a size that is a lie.
  const uint32_t as_file[] = {1, 1, 0, 0, 100, 0};
  EXPECT_TRUE(absl::IsInternal(sent({reinterpret_cast<const char*>(as_file), sizeof(as_file)})));
  const uint32_t too_long[] = {1, 0, 0, 0, 100, 0};
  EXPECT_TRUE(absl::IsInternal(sent({reinterpret_cast<const char*>(too_long), sizeof(too_long)})));
}

TEST(Arena, HandsOutSlotsThatDoNotOverlap) {
  Arena arena;
  std::set<std::pair<uint64_t, uint64_t>> places;
  std::vector<Arena::Slot> slots;
  for (int i = 0; i < 300; ++i) {
    const auto slot = arena.take(5000);
    ASSERT_TRUE(slot.ok()) << slot.status();
    EXPECT_GE(slot->size, 5000U);
    EXPECT_TRUE(places.emplace(slot->segment, slot->offset).second);
    std::memset(slot->data, i, slot->size);
    slots.push_back(*slot);
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    EXPECT_EQ(slots[i].data[slots[i].size - 1], static_cast<std::byte>(i));
    arena.give_back(slots[i]);
  }
  const size_t size = arena.byte_size();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(arena.take(5000).ok());
  EXPECT_EQ(arena.byte_size(), size) << "slots are used again";
}

TEST(Arena, GivesLargeMemoryBackAndTellsWhoeverListens) {
  Arena arena;
  std::set<uint64_t> known;
  const auto first = arena.take(1000);
  ASSERT_TRUE(first.ok());
  arena.attach([&](uint64_t segment, const SharedMemory&) { known.insert(segment); },
               [&](uint64_t segment) { known.erase(segment); });
  EXPECT_EQ(known.size(), 1U) << "of what there was before";
  std::vector<Arena::Slot> slots;
  for (int i = 0; i < 8; ++i) slots.push_back(*arena.take(size_t{20} << 20U));
  EXPECT_EQ(known.size(), 9U);
  for (const Arena::Slot& slot : slots) arena.give_back(slot);
  EXPECT_LE(arena.byte_size(), size_t{64} << 20U);
  arena.trim();
  EXPECT_EQ(known.size(), 1U);
  EXPECT_LE(arena.byte_size(), size_t{1} << 20U);
}

}  // namespace
}  // namespace supernova::engine::worker
