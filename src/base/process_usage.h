// What the kernel tells of this process and the machine under /proc. What can't be read is 0.
#pragma once

#include <cstdint>
#include <string>

namespace supernova::base {

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t threads = 0;
  uint64_t open_descriptors = 0;
  uint64_t max_descriptors = 0;
  double cpu_seconds = 0;         // user and system, since the start
  double start_time_seconds = 0;  // since the epoch
};

struct MachineUsage {
  uint64_t memory_total_bytes = 0;
  uint64_t memory_available_bytes = 0;
  uint64_t cpu_busy_ticks = 0;  // of all processors since they started; differences tell
  uint64_t cpu_total_ticks = 0;
};

// `proc` is replaced in tests; `process` may be the number of another one.
ProcessUsage process_usage(const std::string& proc = "/proc", const std::string& process = "self");
MachineUsage machine_usage(const std::string& proc = "/proc");

// Bytes that this process holds from the C library's allocator, by all threads; 0 where another
// allocator is in its place. Files mapped into memory are not in it.
uint64_t heap_bytes();

}  // namespace supernova::base
