#include "conformance/trial.h"

#include <future>

#include "base/text.h"
#include "engine/option_names.h"
#include "engine/placement.h"

namespace supernova::conformance {
namespace {

void count_operators(Trial& trial) {
  const auto info = trial.session->info();
  if (!info.ok()) return;
  for (const engine::NodePlacement& node : info->placement) {
    Taken& taken = trial.operators[node.op];
    ++(node.where == "CPU" ? taken.left : taken.taken);
  }
}

base::Result<std::unique_ptr<Trial>> open_with(const Subject& subject,
                                               const tensor::Artefact& artefact, bool strict) {
  auto options = subject.options;
  if (strict) options[engine::kStrictDevice] = "true";
  auto trial = std::make_unique<Trial>();
  SN_ASSIGN(trial->model, subject.engine->open_model(artefact, options));
  SN_ASSIGN(trial->session, trial->model->open_session(subject.device, options));
  if (!subject.delegate().empty()) count_operators(*trial);
  return trial;
}

}  // namespace

base::Result<tensor::Response> Trial::run(const tensor::Request& request,
                                          const std::shared_ptr<engine::Stop>& stop) {
  auto promise = std::make_shared<std::promise<base::Result<tensor::Response>>>();
  auto answer = promise->get_future();
  session->run(
      request,
      [promise, stop](base::Result<tensor::Response> response) {
        promise->set_value(std::move(response));
      },
      stop.get());
  if (answer.wait_for(kPatience) == std::future_status::ready) return answer.get();
  // It may still write into what it was given.
  static_cast<void>(session.release());
  static_cast<void>(model.release());
  return absl::DeadlineExceededError(base::str_cat("no answer in ", kPatience.count(), " s"));
}

base::Result<tensor::Response> Trial::run(std::vector<tensor::Tensor> inputs) {
  if (session == nullptr) return absl::UnavailableError("an earlier run never answered");
  tensor::Request request;
  request.inputs = std::move(inputs);
  return run(request);
}

base::Result<std::unique_ptr<Trial>> open(const Subject& subject,
                                          const tensor::Artefact& artefact) {
  if (subject.device.kind == SN_DEVICE_CPU && subject.delegate().empty()) {
    return open_with(subject, artefact, false);
  }
  auto strict = open_with(subject, artefact, true);
  if (strict.ok()) return strict;
  auto trial = open_with(subject, artefact, false);
  if (!trial.ok()) return trial;
  // Where the engine does not say which nodes, its refusal has to do.
  const auto info = (*trial)->session->info();
  const auto nodes =
      info.ok() ? engine::fallen_back(*info, static_cast<sn_device_kind>(subject.device.kind))
                : std::vector<engine::NodePlacement>();
  (*trial)->fallback =
      nodes.empty() ? std::string(base::message(strict.status())) : engine::nodes_text(nodes);
  return trial;
}

CaseResult passed(std::string group, std::string name, const Trial& trial, double difference) {
  return {std::move(group),
          std::move(name),
          trial.fallback.empty() ? Outcome::kPassed : Outcome::kFellBack,
          trial.fallback,
          difference,
          trial.operators};
}

CaseResult failed(std::string group, std::string name, std::string why) {
  return {std::move(group), std::move(name), Outcome::kFailed, std::move(why), 0};
}

CaseResult not_made(std::string group, std::string name, const base::Status& status) {
  return {std::move(group), std::move(name),
          absl::IsUnimplemented(status) ? Outcome::kSkipped : Outcome::kFailed,
          std::string(base::message(status)), 0};
}

CaseResult not_opened(std::string group, std::string name, const base::Status& status) {
  const bool died = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  return {std::move(group), std::move(name), died ? Outcome::kFailed : Outcome::kRefused,
          std::string(base::message(status)), 0};
}

}  // namespace supernova::conformance
