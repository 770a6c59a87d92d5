// A server with models configured for a scenario, and what its statistics say.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "load/load.h"
#include "serving/models.h"
#include "serving/process.h"

namespace supernova::bench {

struct Settings {
  std::string program;  // the server's
  std::string folder;   // for files
  Cores cores;
  int rounds = 5;
  double seconds = 1;  // of each measurement in a round
};

// A model under a name of its own.
struct Configured {
  std::string name;
  BenchModel model;
  std::string config;  // config.pbtxt
};

// Since the start, of one model.
struct Counted {
  uint64_t inferences = 0;
  uint64_t runs = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
};

class Server {
 public:
  static base::Result<Server> start(const Settings& settings, const std::string& scenario,
                                    const std::vector<Configured>& models,
                                    const std::vector<std::string>& flags = {});

  base::Result<Outcome> load(const Configured& model, const Plan& plan) const;
  base::Result<Counted> counted(const std::string& model) const;
  const Process& process() const { return process_; }

 private:
  explicit Server(Process process) : process_(std::move(process)) {}

  Process process_;
};

// Of a plan's rounds, all over again what was measured; the middle one is what counts.
struct Figures {
  std::vector<double> rates;  // requests a second that succeeded
  std::vector<double> p50;    // microseconds
  std::vector<double> p99;
  std::vector<double> cpu;  // of the server, microseconds a request

  void add(const Outcome& outcome, double cpu_seconds);
};

double microseconds(Histogram::Duration duration);
double median(std::vector<double> values);
// The median of a[i] / b[i]: both were measured in the same round.
double ratio(const std::vector<double>& a, const std::vector<double>& b);
// An error that says what failed, unless nothing did.
base::Status all_answered(const Outcome& outcome, std::string_view what);

// Each measures and prints its table.
base::Status measure_batching(const Settings& settings);
base::Status measure_cache(const Settings& settings);
base::Status measure_overload(const Settings& settings);

}  // namespace supernova::bench
