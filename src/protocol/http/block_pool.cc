#include "protocol/http/block_pool.h"

#include <sys/mman.h>

namespace supernova::protocol::http {
namespace {

constexpr size_t kBlocksPerSlab = 64;
constexpr size_t kSlabSize = kBlocksPerSlab * BlockPool::kBlockSize;
constexpr size_t kWarmBlocks = 64;

}  // namespace

BlockPool::~BlockPool() {
  for (void* slab : slabs_) ::munmap(slab, kSlabSize);
}

void* BlockPool::allocate() {
  for (std::vector<void*>* list : {&warm_, &cold_}) {
    if (list->empty()) continue;
    void* const block = list->back();
    list->pop_back();
    return block;
  }
  slabs_.reserve(slabs_.size() + 1);
  cold_.reserve((slabs_.size() + 1) * kBlocksPerSlab);  // so that free() never allocates
  warm_.reserve(kWarmBlocks);
  void* const slab =
      ::mmap(nullptr, kSlabSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (slab == MAP_FAILED) throw std::bad_alloc();
  slabs_.push_back(slab);
  for (size_t i = kBlocksPerSlab - 1; i > 0; --i) {
    cold_.push_back(static_cast<std::byte*>(slab) + i * kBlockSize);
  }
  return slab;
}

void BlockPool::free(void* block) {
  if (warm_.size() < kWarmBlocks) return warm_.push_back(block);
  ::madvise(block, kBlockSize, MADV_DONTNEED);  // best effort
  cold_.push_back(block);
}

}  // namespace supernova::protocol::http
