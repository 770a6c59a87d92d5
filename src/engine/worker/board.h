// The memory in which runs change hands between server and worker: for each worker a board with a
// ring of runs to do, and at the head of each run's slot who waits for it and how far it is. One
// system call a run and direction where the other side sleeps, none where it is looking.
//
// The server trusts nothing that a worker writes here: it reads `state` as a number of unknown
// value, and never the worker's own counters.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace supernova::engine::worker {

enum SlotState : uint32_t {
  kWaited = 1,    // the caller looks at it
  kSleeping = 2,  // the caller sleeps on it
  kHanded = 3,    // nobody does: the socket must say when it is done
  kDone = 4,      // the final response is in the slot
  kStreamed = 5,  // responses come over the socket, the final one too
  kLost = 6,      // the worker is gone; the server takes care of the run
};

// At the start of each run's slot; the server writes it, the worker its last two and `state`.
struct SlotHead {
  uint64_t request_size;  // right behind this head
  uint64_t response_offset;
  uint64_t response_capacity;
  uint64_t data_offset;  // inputs, then lent outputs, at the places that the request says
  uint64_t room_offset;  // for outputs that the engine brings
  uint64_t room_size;
  uint64_t careful;  // to be run at low priority
  std::atomic<uint32_t> state;
  std::atomic<uint32_t> cancelled;  // by the server, before it says so over the socket
  std::atomic<uint32_t> started;    // by the worker, when it takes the run
  std::atomic<uint64_t> response_size;
};

struct RingEntry {
  uint64_t run;
  uint64_t segment;
  uint64_t offset;
};

struct Board {
  // More runs than this never are on their way, so that the server needs not know how far the
  // worker is.
  static constexpr uint32_t kRing = 2048;

  alignas(64) std::atomic<uint32_t> tail;  // the server's
  alignas(64) std::atomic<uint32_t> head;  // the worker's, as are the following
  alignas(64) std::atomic<uint32_t> looking;
  std::atomic<uint32_t> sleeping;
  std::atomic<uint32_t> at_memory_limit;  // when a signal ended it
  alignas(64) RingEntry ring[kRing];
};

static_assert(std::atomic<uint32_t>::is_always_lock_free);

// Sleeps while `word` is `value`, at most that long; may return early.
void futex_wait(std::atomic<uint32_t>& word, uint32_t value, std::chrono::nanoseconds most);
void futex_wake(std::atomic<uint32_t>& word, int count);

// Tells the processor that a loop looks at memory.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace supernova::engine::worker
