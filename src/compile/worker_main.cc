#include "compile/worker_main.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <new>
#include <vector>

#include "base/file.h"
#include "base/sanitized.h"
#include "compile/entry_file.h"
#include "compile/imported_record.h"
#include "compile/worker_job.h"

namespace supernova::compile {
namespace {

constexpr size_t kMaxJob = size_t{16} << 20U;

constexpr bool kMemoryIsLimited = SUPERNOVA_SANITIZED == 0;

void limit(decltype(RLIMIT_CPU) what, uint64_t most) {
  struct rlimit now {};
  if (::getrlimit(what, &now) != 0) return;
  const rlim_t value = now.rlim_max == RLIM_INFINITY ? most : std::min<rlim_t>(most, now.rlim_max);
  const struct rlimit wanted { value, value };
  ::setrlimit(what, &wanted);
}

void apply(const WorkerLimits& limits) {
  limit(RLIMIT_CORE, 0);
  if (limits.cpu_seconds > 0) limit(RLIMIT_CPU, limits.cpu_seconds);
  if (kMemoryIsLimited && limits.memory_bytes > 0) limit(RLIMIT_DATA, limits.memory_bytes);
  if (kMemoryIsLimited && limits.address_space_bytes > 0) {
    limit(RLIMIT_AS, limits.address_space_bytes);
  }
}

base::Result<tensor::Buffer> map_input() {
  struct stat info {};
  if (::fstat(kInputFile, &info) != 0) return base::system_error("the artefact to prepare");
  const auto size = static_cast<size_t>(info.st_size);
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kInputFile, 0);
  if (map == MAP_FAILED) return base::system_error("the artefact to prepare");
  return tensor::Buffer::adopt(map, size, [] {});
}

base::Status do_import(const Job& job, const import::ImporterRegistry& importers,
                       EntryWriter& output) {
  const import::Importer* importer = importers.find(job.format);
  if (importer == nullptr) {
    return absl::InternalError(
        base::str_cat(job.file, ": the worker has no importer for ", job.format));
  }
  SN_ASSIGN(const tensor::ImportedModel model, importer->import(job.file, job.options));
  if (model.weights.byte_size > 0) {
    if (job.in_memory) {
      return absl::FailedPreconditionError(base::str_cat(
          job.file,
          ": the model is larger than one ONNX file holds, and its weights need a place on disk: "
          "name a folder that can be written to with --cache-dir, and any --cache-byte-size but "
          "0"));
    }
    SN_TRY(output.append(std::vector<std::byte>(kWeightsGap)));
    SN_TRY(model.weights.write(
        [&](std::span<const std::byte> piece) { return output.append(piece); }));
  }
  SN_TRY(output.append(model.artefact.bytes.bytes()));
  return output.finish(write_imported(model, job.file));
}

base::Result<engine::Engine*> find_engine(const Job& job, engine::Catalogue& engines) {
  if (auto built_in = engines.find(job.engine); built_in.ok()) return built_in;
  for (const std::string& library : job.engine_libraries) {
    const std::string name = engine::EngineLibrary(library).name;
    if (!name.empty() && name != job.engine) continue;  // perhaps another version of the same
    engines.add_library(library, {}).IgnoreError();     // find() says why, if it is the one
  }
  return engines.find(job.engine);
}

base::Status do_prepare(const Job& job, engine::Catalogue& engines, EntryWriter& output) {
  SN_ASSIGN(engine::Engine * engine, find_engine(job, engines));
  tensor::Artefact artefact;
  artefact.format = job.artefact_format;
  artefact.path = job.artefact_path;
  if (job.has_input) {
    SN_ASSIGN(artefact.bytes, map_input());
  }
  const sn_device cpu{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu"};
  std::string name;
  SN_TRY(engine->compile(
      artefact, cpu, job.options, [&](std::string_view file, std::span<const std::byte> content) {
        if (!name.empty()) {
          return base::Status(
              absl::UnimplementedError("the engine makes more than one file, which is not kept"));
        }
        name = file;
        return output.append(content);
      }));
  if (name.empty()) return absl::UnimplementedError("the engine made nothing of it");
  return output.finish(name);
}

base::Status do_job(const Job& job, const import::ImporterRegistry& importers,
                    engine::Catalogue& engines, EntryWriter& output) {
  try {
    return job.kind == Job::Kind::kImport ? do_import(job, importers, output)
                                          : do_prepare(job, engines, output);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(base::str_cat(
        job.kind == Job::Kind::kImport ? job.file : job.artefact_path, ": needs more than the ",
        job.limits.memory_bytes >> 20U, " MiB of memory that it may take"));
  }
}

}  // namespace

int run_worker_job(const import::ImporterRegistry& importers, engine::Catalogue& engines) {
  // With the server goes its worker.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const base::Result<std::string> record = base::read_all(kJobFile, kMaxJob);
  const base::Result<Job> job = read_job(record.value_or(""));
  if (!job.ok()) {
    std::fprintf(stderr, "error: %s\n", std::string(base::message(job.status())).c_str());
    return 2;
  }
  apply(job->limits);
  EntryWriter output(kOutputFile);
  Reply reply{do_job(*job, importers, engines, output), false};
  reply.output_failed = !output.status().ok();
  const bool said = base::write_all(kReplyPipe, write_reply(reply)).ok();
  std::fflush(stderr);
  ::_exit(said ? 0 : 1);
}

}  // namespace supernova::compile
