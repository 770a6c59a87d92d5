// What a run of the suite found, as a table to read and as JSON to send in: which engine, which
// device with which driver, on what machine. Values.
#pragma once

#include <string>
#include <vector>

#include "conformance/suite.h"
#include "device/device.h"

namespace supernova::conformance {

struct Report {
  std::string program_version;
  std::string engine;
  std::string engine_version;
  std::string isolation;  // "in-process", "worker"
  tensor::Options options;
  std::string delegate;  // the library's name, "" = none
  device::Device device;
  std::string processor;     // of the machine
  std::string architecture;  // "x86_64"
  std::string kernel;        // "6.1.0-18-amd64"
  std::string filter;        // of the cases, "" = all were run
  int reloads = 0;
  std::string date;  // "2026-01-31"
  std::vector<CaseResult> results;

  size_t count(Outcome outcome, std::string_view group = {}) const;
  // No case failed, and at least one passed that ran something.
  bool ok() const;
  // What the first such case says; "" = there is none.
  std::string first(Outcome outcome) const;
  // What the delegate was shown in all cases, by kind of operator.
  std::map<std::string, Taken> operators() const;
};

// Groups with their counts, then every case that did not simply pass, and what the delegate took.
std::string to_text(const Report& report);
std::string to_json(const Report& report);

}  // namespace supernova::conformance
