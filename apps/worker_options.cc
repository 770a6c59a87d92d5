#include "worker_options.h"

#include "engine/option_names.h"
#include "option_checks.h"

namespace supernova::apps {

void WorkerOptions::add_to(CLI::App& command) {
  command
      .add_option(
          "--engine-isolation", isolation,
          "Where engines run: in-process, worker, or own-worker (one for each model); "
          "default: in-process on the CPU, a worker for tflite, libraries and other devices; "
          "may be repeated")
      ->type_name("[ENGINE=]WHERE")
      ->expected(1)
      ->take_all();
  command
      .add_option("--worker-memory-byte-size", memory_bytes,
                  "Bytes (512MiB, 4GiB) that the worker of an engine may take; 0 = no limit")
      ->transform(byte_size())
      ->capture_default_str();
  command
      .add_option("--worker-run-timeout-ms", run_timeout_ms,
                  "Milliseconds that a run in a worker may take before the worker is ended; 0 = "
                  "the request's own deadline")
      ->check(CLI::Range(int64_t{0}, int64_t{86'400'000}))
      ->capture_default_str();
  command
      .add_option("--worker-load-timeout-ms", load_timeout_ms,
                  "Milliseconds that opening a model in a worker may take")
      ->check(CLI::Range(int64_t{1}, int64_t{86'400'000}))
      ->capture_default_str();
}

base::Result<engine::WorkerRules> WorkerOptions::rules() const {
  engine::WorkerRules rules;
  for (const std::string& text : isolation) {
    const size_t equals = text.rfind('=');
    const std::string engine = equals == std::string::npos ? "" : text.substr(0, equals);
    const auto where = engine::parse_isolation(text.substr(equals + 1));  // npos + 1 = 0
    if (!where.ok()) return base::annotate(where.status(), "--engine-isolation");
    rules.isolation[engine] = *where;
  }
  rules.in_workers = {"tflite"};  // it loads vendors' delegates
  if (memory_bytes > 0) rules.options[engine::kWorkerMemory] = std::to_string(memory_bytes);
  if (run_timeout_ms > 0) {
    rules.options[engine::kWorkerRunTimeout] = std::to_string(run_timeout_ms);
  }
  rules.options[engine::kWorkerLoadTimeout] = std::to_string(load_timeout_ms);
  return rules;
}

}  // namespace supernova::apps
