// How the tests of this folder configure a provider: at once, with their own worker.
#pragma once

#include <chrono>
#include <filesystem>

#include "compile/cached_provider.h"

namespace supernova::compile {

inline ProviderOptions test_provider_options(const std::filesystem::path& cache) {
  ProviderOptions options;
  options.cache_folder = cache;
  options.cache_bytes = uint64_t{1} << 30U;
  options.prepare_from = 0;
  options.producer = "test";
  options.settling = std::chrono::nanoseconds(0);
  options.workers.timeout = std::chrono::seconds(60);
  options.workers.command = {SUPERNOVA_TEST_WORKER, {"supernova-test-worker"}};
  return options;
}

}  // namespace supernova::compile
