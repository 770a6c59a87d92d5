// Twice as many requests as the server can answer: what it still answers, and how it refuses.
#include <cstdio>

#include "server.h"

namespace supernova::bench {
namespace {

// One run at a time; who would wait behind eight others, or longer than the time, is refused.
constexpr char kBounded[] =
    "max_batch_size: 1\n"
    "instance_group { count: 1 }\n"
    "dynamic_batching { default_queue_policy { max_queue_size: 8 timeout_action: REJECT "
    "default_timeout_microseconds: 10000000 } }\n";
constexpr int kConnections = 512;

struct Round {
  Figures capacity;
  Figures overload;
  std::vector<double> offered;
  std::vector<double> refused;  // a second
  std::vector<double> refusal_p50;
  std::vector<double> refusal_p99;
};

base::Status measure(const Settings& settings, const Server& server, const Configured& model,
                     Round& all, bool counts) {
  Plan plan;
  plan.connections = 8;
  plan.duration = seconds(settings.seconds);
  double cpu = server.process().cpu_seconds();
  SN_ASSIGN(const Outcome capacity, server.load(model, plan));
  SN_TRY(all_answered(capacity, model.name));
  const double capacity_cpu = server.process().cpu_seconds() - cpu;
  plan.connections = kConnections;
  plan.rate = 2 * capacity.rate();
  cpu = server.process().cpu_seconds();
  SN_ASSIGN(const Outcome overload, server.load(model, plan));
  if (overload.errors != overload.refusals.count()) {
    return absl::InternalError("some requests were neither answered nor refused");
  }
  if (!counts) return {};
  all.capacity.add(capacity, capacity_cpu);
  all.overload.add(overload, server.process().cpu_seconds() - cpu);
  all.offered.push_back(plan.rate);
  all.refused.push_back(static_cast<double>(overload.errors) / std::max(overload.seconds, 1e-9));
  all.refusal_p50.push_back(microseconds(overload.refusals.percentile(50)));
  all.refusal_p99.push_back(microseconds(overload.refusals.percentile(99)));
  return {};
}

double megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

}  // namespace

base::Status measure_overload(const Settings& settings) {
  const Configured model{"bounded", wide_mlp(), kBounded};
  SN_ASSIGN(const Server server, Server::start(settings, "overload", {model}));
  Round all;
  uint64_t before = 0;
  for (int round = 0; round <= settings.rounds; ++round) {
    SN_TRY(measure(settings, server, model, all, round > 0));
    if (round == 0) before = server.process().resident_bytes();
  }
  std::printf(
      "\nOverload, wide MLP, REST binary, a queue of 8\n\n"
      "| load | offered/s | answered/s | p50 µs | p99 µs | refused/s | p50 of refusals µs | p99 of "
      "refusals µs | of capacity |\n|---|---|---|---|---|---|---|---|---|\n");
  std::printf("| closed loop, 8 connections | - | %.0f | %.1f | %.1f | - | - | - | 1.00 |\n",
              median(all.capacity.rates), median(all.capacity.p50), median(all.capacity.p99));
  std::printf(
      "| open loop at twice that | %.0f | %.0f | %.1f | %.1f | %.0f | %.1f | %.1f | %.2f |\n",
      median(all.offered), median(all.overload.rates), median(all.overload.p50),
      median(all.overload.p99), median(all.refused), median(all.refusal_p50),
      median(all.refusal_p99), ratio(all.overload.rates, all.capacity.rates));
  std::printf("\nResident memory after the first round %.1f MB, after the last %.1f MB\n",
              megabytes(before), megabytes(server.process().resident_bytes()));
  std::fflush(stdout);
  return {};
}

}  // namespace supernova::bench
