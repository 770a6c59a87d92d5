// Requests of the small MLP one by one, and joined.
#include <array>
#include <cstdio>

#include "server.h"

namespace supernova::bench {
namespace {

struct Way {
  Configured model;
  const char* name;
};

struct Measured {
  Figures figures;
  uint64_t inferences = 0;
  uint64_t runs = 0;
};

base::Status measure(const Settings& settings, const Server& server, const Way& way,
                     int connections, Measured& measured, bool counts) {
  Plan plan;
  plan.connections = connections;
  plan.duration = seconds(settings.seconds);
  SN_ASSIGN(const Counted before, server.counted(way.model.name));
  const double cpu = server.process().cpu_seconds();
  SN_ASSIGN(const Outcome outcome, server.load(way.model, plan));
  SN_TRY(all_answered(outcome, way.model.name));
  if (!counts) return {};
  measured.figures.add(outcome, server.process().cpu_seconds() - cpu);
  SN_ASSIGN(const Counted after, server.counted(way.model.name));
  measured.inferences += after.inferences - before.inferences;
  measured.runs += after.runs - before.runs;
  return {};
}

}  // namespace

base::Status measure_batching(const Settings& settings) {
  const std::array<Way, 3> ways{{
      {{"alone", small_mlp(), "max_batch_size: 32\n"}, "off"},
      {{"joined", small_mlp(), "max_batch_size: 32\ndynamic_batching { }\n"}, "on"},
      {{"delayed", small_mlp(),
        "max_batch_size: 32\ndynamic_batching { max_queue_delay_microseconds: 500 }\n"},
       "on, up to 500 µs of delay"},
  }};
  SN_ASSIGN(const Server server,
            Server::start(settings, "batching", {ways[0].model, ways[1].model, ways[2].model}));
  std::printf(
      "\nDynamic batching, MLP, REST binary\n\n"
      "| connections | batching | requests/s | p50 µs | p99 µs | mean batch | server CPU µs | of "
      "off | p50 of off |\n|---|---|---|---|---|---|---|---|---|\n");
  for (const int connections : {1, 8, 64}) {
    std::array<Measured, 3> measured;
    for (int round = 0; round <= settings.rounds; ++round) {
      for (size_t i = 0; i < ways.size(); ++i) {
        SN_TRY(measure(settings, server, ways[i], connections, measured[i], round > 0));
      }
    }
    const Figures& off = measured[0].figures;
    for (size_t i = 0; i < ways.size(); ++i) {
      const Figures& figures = measured[i].figures;
      const double batch = static_cast<double>(measured[i].inferences) /
                           static_cast<double>(std::max<uint64_t>(1, measured[i].runs));
      std::printf("| %d | %s | %.0f | %.1f | %.1f | %.1f | %.1f | %.2f | %.2f |\n", connections,
                  ways[i].name, median(figures.rates), median(figures.p50), median(figures.p99),
                  batch, median(figures.cpu), ratio(figures.rates, off.rates),
                  ratio(figures.p50, off.p50));
    }
    std::fflush(stdout);
  }
  return {};
}

}  // namespace supernova::bench
