// The settings of the trace extension, global and per model, and which requests they choose. Values
// only: no thread-safety of their own.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace supernova::service {

// Values of the trace extension, as its clients spell them.
struct TraceSettings {
  std::vector<std::string> level;  // OFF, TIMESTAMPS, TENSORS
  std::string rate;
  std::string count;
  std::string log_frequency;
  std::string file;
  std::string mode;
};

// A change of trace settings: what is set is changed, an inner nullopt falls back to the global
// value (for a model) or the value at start (globally).
struct TraceUpdate {
  template <typename T>
  using Field = std::optional<std::optional<T>>;
  Field<std::vector<std::string>> level;
  Field<std::string> rate;
  Field<std::string> count;
  Field<std::string> log_frequency;
  Field<std::string> file;  // refused over the network
};

// What --trace-config says at start.
struct TraceConfig {
  TraceSettings settings{{"OFF"}, "1000", "-1", "0", "", "triton"};
  std::string url;                              // of the collector, in mode opentelemetry
  std::map<std::string, std::string> resource;  // attributes of the spans' origin, likewise
};

// Reads the values of --trace-config, in Triton's syntax: "level=TIMESTAMPS", "rate=100",
// "count=-1", "mode=triton", "triton,file=PATH", "triton,log-frequency=50",
// "opentelemetry,url=URL", "opentelemetry,resource=KEY=VALUE"; "level" may be repeated, several
// settings may be joined by commas. Errors name the setting.
base::Result<TraceConfig> parse_trace_config(const std::vector<std::string>& arguments);

// Bits of a level.
inline constexpr unsigned kTraceTimestamps = 1;
inline constexpr unsigned kTraceTensors = 2;

// What to do with a request that was chosen.
struct TraceChoice {
  unsigned level = 0;
  std::string file;
  int64_t log_frequency = 0;
  bool last = false;  // of those that `count` allowed
};

class TraceSampler {
 public:
  // The settings must be valid: those of parse_trace_config are.
  static base::Result<TraceSampler> create(const TraceSettings& initial);

  TraceSettings settings(std::string_view model) const;
  // All or nothing: an error leaves everything as it was. Whether the file may be changed is for
  // the caller to say.
  base::Status update(std::string_view model, const TraceUpdate& update);

  // Whether any request can be chosen.
  bool active() const;
  // Counts a request to `model`. `demanded` = its caller records it, so rate and count don't
  // matter.
  std::optional<TraceChoice> choose(std::string_view model, bool demanded);
  unsigned level(std::string_view model) const;

 private:
  struct Values {
    unsigned level = 0;
    int64_t rate = 1000;
    int64_t count = -1;
    int64_t log_frequency = 0;
    std::string file;
  };
  // Settings that were given for a scope; the others are those of the scope above.
  struct Given {
    std::optional<unsigned> level;
    std::optional<int64_t> rate;
    std::optional<int64_t> count;
    std::optional<int64_t> log_frequency;
    std::optional<std::string> file;
    bool empty() const { return !level && !rate && !count && !log_frequency && !file; }
  };
  struct Scope {
    Given given;
    uint64_t seen = 0;
    int64_t remaining = -1;  // of count
  };
  static Values merge(const Values& above, const Given& given);
  static base::Status apply(const TraceUpdate& update, Given& given);
  Values global() const { return merge(initial_, global_.given); }
  Values values(std::string_view model) const;

  Values initial_;
  std::string mode_;
  Scope global_;
  std::map<std::string, Scope, std::less<>> models_;
};

}  // namespace supernova::service
