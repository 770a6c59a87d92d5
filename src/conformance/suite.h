// The engine suite: what every engine must do on every device, run on this machine's hardware. It
// speaks to engines through engine.h only and makes its models itself, so that a report from
// anywhere means the same. Not thread-safe; runs for minutes on slow devices.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace supernova::conformance {

enum class Outcome {
  kPassed,    // right, and all of it on the device
  kFellBack,  // right, but not all of it on the device: `detail` names what was not
  kRefused,   // a clear error instead of a result, which an engine may give
  kSkipped,   // the engine takes no model of this case's kind, or says that it can't do this
  kFailed     // wrong, lost, or not in time
};
std::string_view outcome_name(Outcome outcome);  // "passed", "fell back", ...

// Of one kind of operator, where there is a delegate: how many it took, how many it left.
struct Taken {
  size_t taken = 0;
  size_t left = 0;
};

struct CaseResult {
  std::string group;  // "operators"
  std::string name;   // "Conv 3x3, stride 2"
  Outcome outcome = Outcome::kFailed;
  std::string detail;
  double difference = 0;  // largest, relative to the largest number expected; 0 where not compared
  std::map<std::string, Taken> operators = {};
  bool proves_a_run = true;  // passed: the engine has run something
};

// The option that names a library which takes operators away from the engine.
inline constexpr char kDelegateOption[] = "delegate.library";

// An engine on a device. The engine outlives the suite.
struct Subject {
  engine::Engine* engine = nullptr;
  sn_device device{sizeof(sn_device), SN_DEVICE_CPU, 0, "cpu", 0, 0};
  engine::Options options;

  // What stands in place of a device; "" = nothing.
  std::string delegate() const;
};

struct SuiteOptions {
  Subject subject;
  Subject reference;   // the CPU, for accuracy; without an engine those cases are skipped
  std::string filter;  // only cases whose "group/name" contains it
  int reloads = 100;
  std::function<void(const CaseResult&)> on_result;  // as they come; may be empty
};

// Every case in order.
std::vector<CaseResult> run_suite(const SuiteOptions& options);

}  // namespace supernova::conformance
