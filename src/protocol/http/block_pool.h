// Blocks of one size for the input of a worker's connections. Of the blocks given back a few stay
// warm; the pages of the others return to the system, so that connections that wait cost nothing.
// One thread.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace supernova::protocol::http {

class BlockPool {
 public:
  static constexpr size_t kBlockSize = 8 * 1024;

  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;

  void* allocate();  // throws std::bad_alloc
  void free(void* block);

 private:
  std::vector<void*> warm_;
  std::vector<void*> cold_;
  std::vector<void*> slabs_;
};

// For containers: a block of the pool when exactly that is asked for, else from the heap.
template <typename T>
class PoolAllocator {
 public:
  using value_type = T;

  explicit PoolAllocator(BlockPool& pool) : pool_(&pool) {}
  template <typename U>
  explicit PoolAllocator(const PoolAllocator<U>& other) : pool_(&other.pool()) {}

  T* allocate(size_t count) {
    if (count * sizeof(T) == BlockPool::kBlockSize) return static_cast<T*>(pool_->allocate());
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, size_t count) {
    if (count * sizeof(T) == BlockPool::kBlockSize) return pool_->free(memory);
    ::operator delete(memory);
  }
  BlockPool& pool() const { return *pool_; }
  bool operator==(const PoolAllocator&) const = default;

 private:
  BlockPool* pool_;
};

}  // namespace supernova::protocol::http
