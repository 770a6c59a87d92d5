// Takes traces off the requests' threads: a bounded queue and a thread that writes them to their
// files, or hands them to a sink. What doesn't fit is dropped, counted and reported in the log.
// Thread-safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "service/trace_file.h"
#include "service/trace_record.h"

namespace supernova::service {

class TraceWriter {
 public:
  // With a sink nothing is written to files.
  explicit TraceWriter(std::unique_ptr<telemetry::SpanSink> sink);
  ~TraceWriter();  // writes what is queued; gives up where the sink fails

  void push(TraceRecord record);
  // Returns when everything that was pushed before is written, or lost.
  void flush();

  uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kMaxQueued = 4096;
  static constexpr uint64_t kMaxHeldBytes = uint64_t{64} << 20;
  static constexpr size_t kBatch = 512;

  void work();
  bool write(const std::deque<TraceRecord>& batch);  // false: it was lost
  void write_files(const std::deque<TraceRecord>& batch);
  void complain(const base::Status& status);

  std::unique_ptr<telemetry::SpanSink> sink_;
  TraceFiles files_;
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> dropped_{0};
  std::chrono::steady_clock::time_point complained_;
  uint64_t reported_ = 0;  // of dropped_

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::deque<TraceRecord> queue_;
  uint64_t held_bytes_ = 0;
  bool writing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace supernova::service
