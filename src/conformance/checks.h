// The parts of the suite. Each adds the results of its cases; `wanted` says whether one is to run.
#pragma once

#include <functional>
#include <string_view>

#include "conformance/models.h"
#include "conformance/suite.h"

namespace supernova::conformance {

struct Checks {
  const SuiteOptions& options;
  const ModelKit& kit;
  std::vector<CaseResult> results;

  bool wanted(std::string_view group, std::string_view name) const;
  void add(CaseResult result);
  // Runs one case, where it is wanted.
  void run(std::string_view group, std::string_view name,
           const std::function<CaseResult(std::string group, std::string name)>& check);
};

void check_operators(Checks& checks);  // operators, data types
void check_shapes(Checks& checks);     // dynamic shapes, data-dependent outputs, strings, batches
void check_use(Checks& checks);        // concurrency, deadlines, bad requests
void check_cancel(Checks& checks);     // runs that are ended early
void check_memory(Checks& checks);     // reload, memory
void check_accuracy(Checks& checks);   // whole nets against the reference
void check_any_model(Checks& checks);  // engines that take any file: what needs no model of ours

}  // namespace supernova::conformance
