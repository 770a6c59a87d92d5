// The response cache: the same question again and again, and questions that nobody asked before.
#include <array>
#include <cstdio>

#include "server.h"

namespace supernova::bench {
namespace {

struct Case {
  const char* requests;
  const char* cache;
  const Configured* model;
  bool unique;
};

struct Measured {
  Figures figures;
  uint64_t hits = 0;
  uint64_t misses = 0;
};

}  // namespace

base::Status measure_cache(const Settings& settings) {
  const Configured plain{"plain", wide_mlp(), "max_batch_size: 32\n"};
  const Configured cached{"cached", wide_mlp(),
                          "max_batch_size: 32\nresponse_cache { enable: true }\n"};
  SN_ASSIGN(const Server server, Server::start(settings, "cache", {plain, cached},
                                               {"--response-cache-byte-size", "64MiB"}));
  const std::array<Case, 4> cases{{{"repeated", "off", &plain, false},
                                   {"repeated", "on", &cached, false},
                                   {"unique", "off", &plain, true},
                                   {"unique", "on", &cached, true}}};
  std::array<Measured, 4> measured;
  uint32_t next = 0;
  for (int round = 0; round <= settings.rounds; ++round) {
    for (size_t i = 0; i < cases.size(); ++i) {
      Plan plan;
      plan.connections = 8;
      plan.duration = seconds(settings.seconds);
      plan.unique = cases[i].unique;
      plan.first_number = next;
      SN_ASSIGN(const Counted before, server.counted(cases[i].model->name));
      const double cpu = server.process().cpu_seconds();
      SN_ASSIGN(const Outcome outcome, server.load(*cases[i].model, plan));
      SN_TRY(all_answered(outcome, cases[i].model->name));
      next += static_cast<uint32_t>(outcome.latencies.count()) + 1000;
      if (round == 0) continue;
      measured[i].figures.add(outcome, server.process().cpu_seconds() - cpu);
      SN_ASSIGN(const Counted after, server.counted(cases[i].model->name));
      measured[i].hits += after.hits - before.hits;
      measured[i].misses += after.misses - before.misses;
    }
  }
  std::printf(
      "\nResponse cache, wide MLP, REST binary, 8 connections\n\n"
      "| requests | cache | requests/s | p50 µs | p99 µs | hits | server CPU µs | of off |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < cases.size(); ++i) {
    const Figures& figures = measured[i].figures;
    const uint64_t lookups = measured[i].hits + measured[i].misses;
    const double hits =
        lookups == 0 ? 0 : static_cast<double>(measured[i].hits) / static_cast<double>(lookups);
    std::printf("| %s | %s | %.0f | %.1f | %.1f | %.1f %% | %.1f | %.2f |\n", cases[i].requests,
                cases[i].cache, median(figures.rates), median(figures.p50), median(figures.p99),
                100 * hits, median(figures.cpu),
                ratio(figures.rates, measured[i < 2 ? 0 : 2].figures.rates));
  }
  std::fflush(stdout);
  return {};
}

}  // namespace supernova::bench
