#include "conformance/suite.h"

#include "base/text.h"
#include "conformance/checks.h"

namespace supernova::conformance {

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed:
      return "passed";
    case Outcome::kFellBack:
      return "fell back";
    case Outcome::kRefused:
      return "refused";
    case Outcome::kSkipped:
      return "skipped";
    case Outcome::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string Subject::delegate() const {
  const auto found = options.find(kDelegateOption);
  return found != options.end() ? found->second : "";
}

bool Checks::wanted(std::string_view group, std::string_view name) const {
  return options.filter.empty() ||
         base::str_cat(group, "/", name).find(options.filter) != std::string::npos;
}

void Checks::add(CaseResult result) {
  // Where the delegate lies is nobody's business.
  const std::string delegate = options.subject.delegate();
  const size_t folder = delegate.rfind('/') + 1;
  for (size_t at = 0; folder > 0 && (at = result.detail.find(delegate)) != std::string::npos;) {
    result.detail.erase(at, folder);
  }
  // One line, whatever a library says.
  for (char& c : result.detail) c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  while (result.detail.ends_with(' ')) result.detail.pop_back();
  if (options.on_result) options.on_result(result);
  results.push_back(std::move(result));
}

void Checks::run(std::string_view group, std::string_view name,
                 const std::function<CaseResult(std::string, std::string)>& check) {
  if (wanted(group, name)) add(check(std::string(group), std::string(name)));
}

std::vector<CaseResult> run_suite(const SuiteOptions& options) {
  const engine::Engine& engine = *options.subject.engine;
  const bool is_tflite = !engine.accepts_format("onnx") && engine.accepts_format("tflite");
  Checks checks{options, is_tflite ? tflite_kit() : onnx_kit(), {}};
  if (engine.accepts_format("*")) {
    check_any_model(checks);
    check_cancel(checks);
    return std::move(checks.results);
  }
  check_operators(checks);
  check_shapes(checks);
  check_use(checks);
  check_cancel(checks);
  check_accuracy(checks);
  check_memory(checks);
  return std::move(checks.results);
}

}  // namespace supernova::conformance
