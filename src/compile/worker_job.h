// What the server asks of a worker process and what the worker answers, as records. A job goes to
// the worker in a file, its answer comes back through a pipe, the artefact goes into the entry that
// the server lends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::compile {

// Descriptors of a worker.
inline constexpr int kJobFile = 3;
inline constexpr int kReplyPipe = 4;
inline constexpr int kOutputFile = 5;
inline constexpr int kInputFile = 6;  // the bytes of the artefact to prepare, where it has any

struct WorkerLimits {
  uint64_t memory_bytes = 0;         // of its own; 0 = none
  uint64_t address_space_bytes = 0;  // with what it maps; 0 = none
  uint64_t cpu_seconds = 0;          // 0 = none
};

struct Job {
  enum class Kind : uint64_t { kImport = 1, kPrepare = 2 };
  Kind kind = Kind::kImport;
  WorkerLimits limits;
  tensor::Options options;
  // kImport: the importer, and the file as it recognised it.
  std::string format;
  std::string file;
  bool in_memory = false;  // the entry has no place on disk
  // kPrepare: the engine, and the artefact; with `has_input` its bytes are in kInputFile.
  std::string engine;
  std::vector<std::string> engine_libraries;
  std::string artefact_format;
  std::string artefact_path;
  bool has_input = false;
};

struct Reply {
  base::Status status;
  bool output_failed = false;  // the lent entry couldn't be written: `status` says why
};

std::string write_job(const Job& job);
base::Result<Job> read_job(std::string_view record);
std::string write_reply(const Reply& reply);
base::Result<Reply> read_reply(std::string_view record);

}  // namespace supernova::compile
