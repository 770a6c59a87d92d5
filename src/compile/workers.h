// Has jobs done by worker processes: limits in proportion to the model, and an error that names
// the file whatever became of the worker. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "compile/artefact_cache.h"
#include "compile/worker_job.h"
#include "compile/worker_process.h"

namespace supernova::compile {

struct WorkerOptions {
  WorkerCommand command;
  std::chrono::milliseconds timeout{300'000};
  // The memory that a worker may take: so much, and so many times the size of the model's files.
  uint64_t memory_floor = uint64_t{1} << 30U;
  uint64_t memory_factor = 8;
};

class Workers {
 public:
  explicit Workers(WorkerOptions options) : options_(std::move(options)) {}

  struct Task {
    std::string doing;       // "importing"
    std::string file;        // what the user calls it
    uint64_t byte_size = 0;  // of the model's files
    tensor::Buffer input;    // of a kPrepare job: the artefact's bytes, if it has any
  };
  // The finished entry, in the cache's folder or in memory. What the worker refuses comes back as
  // it said it. Else INTERNAL: it crashed; DEADLINE_EXCEEDED: it took too long; RESOURCE_EXHAUSTED:
  // too much memory; UNAVAILABLE: it could not be started, or stop() was called.
  base::Result<Draft> run(Job job, const Task& task, ArtefactCache& cache);
  // Ends the workers that run, and those to come. From any thread.
  void stop() { stop_.raise(); }

  struct Counters {
    uint64_t done = 0;
    uint64_t refused = 0;  // answered with an error
    uint64_t failed = 0;   // crashed, took too long or too much memory
  };
  Counters counters() const { return {done_.load(), refused_.load(), failed_.load()}; }

 private:
  base::Result<Reply> run_once(const Job& job, const Task& task, const Draft& output);
  base::Status judge(const WorkerEnd& end, const Job& job, const Task& task) const;

  const WorkerOptions options_;
  StopSignal stop_;
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> refused_{0};
  std::atomic<uint64_t> failed_{0};
};

}  // namespace supernova::compile
