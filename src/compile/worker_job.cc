#include "compile/worker_job.h"

#include "compile/record.h"

namespace supernova::compile {
namespace {

constexpr int kHighestCode = 16;  // of the canonical ones

}  // namespace

std::string write_job(const Job& job) {
  RecordWriter out;
  out.number(static_cast<uint64_t>(job.kind));
  out.number(job.limits.memory_bytes);
  out.number(job.limits.address_space_bytes);
  out.number(job.limits.cpu_seconds);
  out.options(job.options);
  out.text(job.format);
  out.text(job.file);
  out.number(job.in_memory);
  out.text(job.engine);
  out.texts(job.engine_libraries);
  out.text(job.artefact_format);
  out.text(job.artefact_path);
  out.number(job.has_input);
  return out.take();
}

base::Result<Job> read_job(std::string_view record) {
  RecordReader in(record);
  Job job;
  job.kind = static_cast<Job::Kind>(in.number());
  job.limits.memory_bytes = in.number();
  job.limits.address_space_bytes = in.number();
  job.limits.cpu_seconds = in.number();
  job.options = in.options();
  job.format = in.text();
  job.file = in.text();
  job.in_memory = in.number() != 0;
  job.engine = in.text();
  job.engine_libraries = in.texts();
  job.artefact_format = in.text();
  job.artefact_path = in.text();
  job.has_input = in.number() != 0;
  const bool known = job.kind == Job::Kind::kImport || job.kind == Job::Kind::kPrepare;
  if (!known || !in.complete()) {
    return absl::InvalidArgumentError("this is no job of a worker; only the server starts one");
  }
  return job;
}

std::string write_reply(const Reply& reply) {
  RecordWriter out;
  out.number(static_cast<uint64_t>(reply.status.code()));
  out.text(base::message(reply.status));
  out.number(reply.output_failed);
  return out.take();
}

base::Result<Reply> read_reply(std::string_view record) {
  RecordReader in(record);
  const uint64_t code = in.number();
  const std::string message = in.text();
  Reply reply;
  reply.output_failed = in.number() != 0;
  if (!in.complete() || code > kHighestCode) {
    return absl::InternalError("its worker gave no answer that can be read");
  }
  reply.status = base::Status(static_cast<absl::StatusCode>(code), message);
  return reply;
}

}  // namespace supernova::compile
