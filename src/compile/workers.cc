#include "compile/workers.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"

namespace supernova::compile {
namespace {

// Room for libraries, stacks and what allocators reserve, beside what a worker takes.
constexpr uint64_t kAddressSpace = uint64_t{4} << 30U;

base::Result<base::File> file_in_memory(const char* name, std::span<const std::byte> content) {
  base::File file(::memfd_create(name, MFD_CLOEXEC));
  if (!file.is_open()) return base::system_error("no memory for a worker");
  SN_TRY(base::write_all(file.get(), content));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return base::system_error("no memory for a worker");
  return file;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? base::str_cat("SIG", name) : base::str_cat("signal ", signal);
}

// The last line that says something: why a program ended, as a library or the runtime puts it.
std::string last_line(std::string_view said) {
  while (!said.empty() && (said.back() == '\n' || said.back() == ' ')) said.remove_suffix(1);
  const size_t start = said.rfind('\n');
  if (start != std::string_view::npos) said.remove_prefix(start + 1);
  return said.empty() ? "" : base::str_cat(": ", said.substr(0, 300));
}

}  // namespace

base::Status Workers::judge(const WorkerEnd& end, const Job& job, const Task& task) const {
  const std::string what = base::str_cat(task.doing, " '", task.file, "'");
  const auto too_long = [&] {
    return absl::DeadlineExceededError(base::str_cat(
        what, " took longer than ", options_.timeout.count() / 1000.0,
        " s and was stopped; allow more with --import-timeout-secs if the model is that large"));
  };
  switch (end.how) {
    case WorkerEnd::How::kStopped:
      return absl::UnavailableError(base::str_cat(what, " was given up: the program ends"));
    case WorkerEnd::How::kTimedOut:
      return too_long();
    case WorkerEnd::How::kSignalled:
      if (end.code == SIGXCPU) return too_long();
      if (end.code == SIGKILL) {
        return absl::ResourceExhaustedError(base::str_cat(
            what,
            " was ended from outside (SIGKILL), most likely because the machine has too "
            "little memory; the server is unaffected"));
      }
      return absl::InternalError(base::str_cat(
          what, " crashed (", signal_name(end.code), last_line(end.said),
          "); the server is unaffected. The file may be damaged, or it needs more than the ",
          job.limits.memory_bytes >> 20U, " MiB of memory that it may take"));
    case WorkerEnd::How::kExited:
      break;
  }
  if (end.code == 0) return {};
  return absl::InternalError(base::str_cat(what, " crashed (exit code ", end.code,
                                           last_line(end.said), "); the server is unaffected"));
}

base::Result<Reply> Workers::run_once(const Job& job, const Task& task, const Draft& output) {
  const std::string record = write_job(job);
  SN_ASSIGN(
      const base::File job_file,
      file_in_memory("supernova-job", std::as_bytes(std::span(record.data(), record.size()))));
  base::File input;
  if (job.has_input) {
    SN_ASSIGN(input, file_in_memory("supernova-input", task.input.bytes()));
  }
  SN_ASSIGN(const WorkerEnd end,
            run_worker(options_.command, {job_file.get(), output.file(), input.get()},
                       options_.timeout, stop_));
  SN_LOG(Debug, "{} '{}': a worker took {} ms and {} MiB{}", task.doing, task.file,
         end.duration.count(), end.peak_memory_bytes >> 20U, last_line(end.said));
  SN_TRY(judge(end, job, task));
  base::Result<Reply> reply = read_reply(end.reply);
  if (reply.ok()) return reply;
  return base::annotate(reply.status(), base::str_cat(task.doing, " '", task.file, "'"));
}

base::Result<Draft> Workers::run(Job job, const Task& task, ArtefactCache& cache) {
  job.limits.memory_bytes = options_.memory_floor + options_.memory_factor * task.byte_size;
  job.limits.address_space_bytes = job.limits.memory_bytes + 4 * task.byte_size + kAddressSpace;
  job.limits.cpu_seconds = static_cast<uint64_t>(options_.timeout.count() / 1000 + 1);
  job.has_input = task.input.size() > 0;
  SN_ASSIGN(Draft output, cache.draft());
  job.in_memory = output.in_memory();
  base::Result<Reply> reply = run_once(job, task, output);
  if (reply.ok() && reply->output_failed && !output.in_memory()) {
    cache.warn(reply->status);
    SN_ASSIGN(output, ArtefactCache::draft_in_memory());
    job.in_memory = true;
    reply = run_once(job, task, output);
  }
  if (!reply.ok()) {
    const bool stopped = reply.status().code() == absl::StatusCode::kUnavailable;
    if (!stopped) failed_.fetch_add(1, std::memory_order_relaxed);
    return reply.status();
  }
  auto& counter = reply->status.ok() ? done_ : refused_;
  counter.fetch_add(1, std::memory_order_relaxed);
  if (!reply->status.ok()) return reply->status;
  return output;
}

}  // namespace supernova::compile
