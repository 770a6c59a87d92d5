// The table of requests: every way to ask, round after round, and what each request took.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "setup.h"

namespace supernova::bench {

struct Options {
  Programs programs;
  int rounds = 7;
  double seconds = 1;  // of each measurement in a round
  std::vector<int> connections{1, 8, 64};
  std::vector<std::string> models{"mlp", "convnet"};
  std::string folder;  // for files
  Cores cores;
  int ready_times = 5;
  int further_models = 100;
  int idle_connections = 10000;
  bool large_pages = false;  // for this process's own runs too
};

// A line of the table: medians over the rounds; counts are of one run of their own.
struct Line {
  std::string model;
  Path path = Path::kInProcess;
  int connections = 0;  // 0 = in this process
  double rate = 0;      // requests a second
  double p50 = 0;       // microseconds
  double p99 = 0;
  double cpu = 0;            // microseconds of the server a request
  double client = 0;         // part of a core that the client used
  double of_in_process = 0;  // rates, round by round
  double of_wall = 0;        // to the floor on as many connections; of gRPC to the empty service
  double p50_of_wall = 0;
  double calls = 0;        // system calls a request
  double switches = 0;     // voluntary context switches a request
  double allocations = 0;  // a request
};

base::Result<std::vector<Line>> measure_requests(const Options& options, const BenchModel& model);

double median(std::vector<double> values);

}  // namespace supernova::bench
