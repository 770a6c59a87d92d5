#include <cmath>

#include "base/text.h"
#include "conformance/checks.h"
#include "conformance/models.h"
#include "conformance/operator_cases.h"
#include "conformance/trial.h"

namespace supernova::conformance {
namespace {

std::vector<Array> inputs_of(const OperatorCase& operator_case) {
  std::vector<Array> inputs;
  for (const CaseInput& input : operator_case.inputs) {
    inputs.push_back(made_up(input.type, input.shape, input.low, input.high, inputs.size() + 1));
  }
  return inputs;
}

std::vector<tensor::Tensor> tensors_of(const OperatorCase& operator_case,
                                       const std::vector<Array>& inputs) {
  std::vector<tensor::Tensor> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    tensors.push_back(to_tensor("x" + std::to_string(i), operator_case.inputs[i].type, inputs[i]));
  }
  return tensors;
}

// Nothing where the reference can't tell.
base::Result<Array> expected_of(const Checks& checks, const OperatorCase& operator_case,
                                const tensor::Artefact& artefact,
                                const std::vector<Array>& inputs) {
  if (operator_case.expected) return operator_case.expected(inputs);
  const Subject& reference = checks.options.reference;
  if (reference.engine == nullptr) {
    return absl::FailedPreconditionError("there is no CPU runtime to compare with");
  }
  SN_ASSIGN(const auto trial, open(reference, artefact));
  SN_ASSIGN(const auto response, trial->run(tensors_of(operator_case, inputs)));
  return to_array(response.outputs[0]);
}

CaseResult check_operator(const Checks& checks, const OperatorCase& operator_case,
                          std::string group, std::string name) {
  const auto artefact = to_artefact(operator_case);
  if (!artefact.ok()) return not_made(group, name, artefact.status());
  const auto inputs = inputs_of(operator_case);
  const auto expected = expected_of(checks, operator_case, *artefact, inputs);
  if (!expected.ok()) {
    return {group, name, Outcome::kSkipped, std::string(base::message(expected.status())), 0};
  }
  const auto trial = open(checks.options.subject, *artefact);
  if (!trial.ok()) return not_opened(group, name, trial.status());
  const auto response = (*trial)->run(tensors_of(operator_case, inputs));
  if (!response.ok()) return failed(group, name, std::string(base::message(response.status())));
  const Array got = to_array(response->outputs[0]);
  const double off = difference(got, *expected);
  if (!(off <= operator_case.tolerance)) {
    CaseResult result =
        failed(group, name,
               base::str_cat("differs by ", off, " where ", operator_case.tolerance,
                             " is allowed (shape ", tensor::shape_to_string(got.shape),
                             ", expected ", tensor::shape_to_string(expected->shape), ")"));
    result.difference = off;
    return result;
  }
  return passed(group, name, **trial, off);
}

}  // namespace

void check_operators(Checks& checks) {
  const auto all = [&checks](std::string_view group, const std::vector<OperatorCase>& cases) {
    for (const OperatorCase& operator_case : cases) {
      checks.run(group, operator_case.name, [&](std::string in, std::string name) {
        return check_operator(checks, operator_case, std::move(in), std::move(name));
      });
    }
  };
  all("operators", checks.kit.operators());
  all("data types", checks.kit.data_types());
}

void check_accuracy(Checks& checks) {
  struct Net {
    const char* name;
    ModelKit::Made artefact;
    ModelKit::Made reference;
    tensor::Shape shape;
    double tolerance;
  };
  const ModelKit& kit = checks.kit;
  const ModelKit& hub = onnx_kit();
  const Net nets[] = {
      {"perceptron", kit.mlp(), hub.mlp(), {5, 64}, 1e-3},
      {"convolutional net, FP32", kit.conv_net(false), hub.conv_net(false), {3, 3, 32, 32}, 2e-3},
      {"convolutional net, FP16", kit.conv_net(true), hub.conv_net(true), {3, 3, 32, 32}, 2e-2}};
  for (const Net& net : nets) {
    checks.run("accuracy", net.name, [&](const std::string& group, const std::string& name) {
      const Subject& reference = checks.options.reference;
      if (!net.artefact.ok()) return not_made(group, name, net.artefact.status());
      if (reference.engine == nullptr) {
        return CaseResult{group, name, Outcome::kSkipped, "there is no CPU runtime to compare with",
                          0};
      }
      const auto input = to_tensor("x", tensor::DataType::kFp32,
                                   made_up(tensor::DataType::kFp32, net.shape, -1, 1, 1));
      const auto expecting = open(reference, *net.reference);
      if (!expecting.ok()) {
        return failed(group, name, std::string(base::message(expecting.status())));
      }
      const auto expected = (*expecting)->run({input});
      const auto trial = open(checks.options.subject, *net.artefact);
      if (!trial.ok()) return not_opened(group, name, trial.status());
      const auto got = (*trial)->run({input});
      for (const auto* response : {&expected, &got}) {
        if (!response->ok()) {
          return failed(group, name, std::string(base::message(response->status())));
        }
      }
      const double off = difference(to_array(got->outputs[0]), to_array(expected->outputs[0]));
      if (!(off <= net.tolerance)) {
        return failed(group, name,
                      base::str_cat("differs by ", off, " where ", net.tolerance, " is allowed"));
      }
      return passed(group, name, **trial, off);
    });
  }
}

}  // namespace supernova::conformance
