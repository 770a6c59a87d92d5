// Opening a model on a subject and running it, with what a device may do wrong: refuse, compute
// part of it elsewhere, never answer.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "conformance/suite.h"
#include "tensor/request.h"

namespace supernova::conformance {

// Longest wait for one answer. A device that has not answered by then is not waited for: what it
// works on stays allocated for the rest of the process.
inline constexpr std::chrono::seconds kPatience{120};

struct Trial {
  std::unique_ptr<engine::Model> model;
  std::unique_ptr<engine::Session> session;
  std::string fallback;                         // what is not on the device, "" = nothing
  std::map<std::string, Taken> operators = {};  // where there is a delegate

  // `stop` stays as long as the run does.
  base::Result<tensor::Response> run(const tensor::Request& request,
                                     const std::shared_ptr<engine::Stop>& stop = nullptr);
  base::Result<tensor::Response> run(std::vector<tensor::Tensor> inputs);
};

// Opened so that all of it must be on the device, or with the delegate; where the engine refuses
// that, as the engine wants.
base::Result<std::unique_ptr<Trial>> open(const Subject& subject, const tensor::Artefact& artefact);

CaseResult passed(std::string group, std::string name, const Trial& trial, double difference = 0);
CaseResult failed(std::string group, std::string name, std::string why);
// Of a model that could not be made: the format has no such thing, or the suite is wrong.
CaseResult not_made(std::string group, std::string name, const base::Status& status);
// Of what could not be opened: a refusal, or a failure where the engine died of it.
CaseResult not_opened(std::string group, std::string name, const base::Status& status);

}  // namespace supernova::conformance
