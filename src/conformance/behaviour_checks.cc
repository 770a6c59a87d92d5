#include <malloc.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/process_usage.h"
#include "base/text.h"
#include "conformance/array.h"
#include "conformance/checks.h"
#include "conformance/models.h"
#include "conformance/trial.h"
#include "tensor/bytes.h"

namespace supernova::conformance {
namespace {

using tensor::DataType;

constexpr double kTolerance = 2e-3;

tensor::Tensor rows(int64_t count, uint64_t seed) {
  return to_tensor("x", DataType::kFp32, made_up(DataType::kFp32, {count, 64}, -1, 1, seed));
}

// A case on one opened model; what can't be opened is a refusal.
void on_model(Checks& checks, std::string_view group, std::string_view name,
              const base::Result<tensor::Artefact>& artefact,
              const std::function<std::string(Trial&)>& check) {
  checks.run(group, name, [&](std::string in, std::string called) {
    if (!artefact.ok()) return not_made(in, called, artefact.status());
    const auto trial = open(checks.options.subject, *artefact);
    if (!trial.ok()) return not_opened(in, called, trial.status());
    const std::string wrong = check(**trial);
    return wrong.empty() ? passed(in, called, **trial) : failed(in, called, wrong);
  });
}

std::string said(const base::Status& status) { return std::string(base::message(status)); }

// Whether each row of a batch gives what the row gives alone.
std::string compare_rows(Trial& trial, int64_t count) {
  const Array all = made_up(DataType::kFp32, {count, 64}, -1, 1, 7);
  const auto together = trial.run({to_tensor("x", DataType::kFp32, all)});
  if (!together.ok()) return said(together.status());
  const Array got = to_array(together->outputs[0]);
  for (int64_t row = 0; row < count; ++row) {
    const auto at = [row](const Array& from, int64_t width) {
      const auto first = from.values.begin() + row * width;
      return Array{{1, width}, std::vector<double>(first, first + width)};
    };
    const auto alone = trial.run({to_tensor("x", DataType::kFp32, at(all, 64))});
    if (!alone.ok()) return said(alone.status());
    const double off = difference(to_array(alone->outputs[0]), at(got, 10));
    if (!(off <= kTolerance)) return base::str_cat("row ", row, " differs by ", off);
  }
  return "";
}

std::string run_sizes(Trial& trial) {
  for (const int64_t size : {1, 2, 7, 33, 1, 128, 3}) {
    const auto response = trial.run({rows(size, 3)});
    if (!response.ok()) return base::str_cat("n = ", size, ": ", said(response.status()));
    if (response->outputs[0].shape != tensor::Shape{size, 10}) {
      return base::str_cat("n = ", size, " gives the shape ",
                           tensor::shape_to_string(response->outputs[0].shape));
    }
  }
  return "";
}

std::string find_non_zero(Trial& trial) {
  for (const int64_t size : {1, 6, 40, 6}) {
    Array x{{size}, {}};
    Array expected{{1, 0}, {}};
    for (int64_t i = 0; i < size; ++i) {
      x.values.push_back(i % 3 == 1 ? 1.0 : 0.0);
      if (i % 3 == 1) expected.values.push_back(static_cast<double>(i));
    }
    expected.shape[1] = static_cast<int64_t>(expected.values.size());
    const auto response = trial.run({to_tensor("x", DataType::kFp32, x)});
    if (!response.ok()) return said(response.status());
    if (difference(to_array(response->outputs[0]), expected) != 0) {
      return base::str_cat("wrong places for ", size, " elements");
    }
  }
  return "";
}

std::string hand_strings_through(Trial& trial) {
  const std::vector<std::string> texts = {"", "one", std::string("a\0b", 3), "\xC3\xA4\xE2\x82\xAC",
                                          std::string(5000, 'x')};
  tensor::Tensor x;
  x.name = "x";
  x.data_type = DataType::kBytes;
  x.shape = {static_cast<int64_t>(texts.size())};
  x.buffer = tensor::pack_bytes(texts);
  const auto response = trial.run({x});
  if (!response.ok()) return said(response.status());
  return response->outputs[0].buffer.view() == x.buffer.view() ? ""
                                                               : "the strings came back changed";
}

std::string turn_loops(Trial& trial) {
  for (const int64_t turns : {1, 7, 200, 0}) {
    const Array x = loop_input(turns);
    const auto response = trial.run({to_tensor("x", DataType::kFp32, x)});
    if (!response.ok()) return said(response.status());
    const double off = difference(to_array(response->outputs[0]), loop_result(x));
    if (!(off <= kTolerance)) return base::str_cat(turns, " turns: differs by ", off);
  }
  return "";
}

// As many runs at once as the engine says it bears, each checked.
std::string run_at_once(Trial& trial) {
  const int count = std::clamp(trial.session->max_concurrency(), 1, 8);
  std::vector<Array> expected;
  for (int i = 0; i < count; ++i) {
    const auto response = trial.run({rows(2, static_cast<uint64_t>(i))});
    if (!response.ok()) return said(response.status());
    expected.push_back(to_array(response->outputs[0]));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 25; ++round) {
        const auto response = trial.run({rows(2, static_cast<uint64_t>(i))});
        if (!response.ok() || !(difference(to_array(response->outputs[0]),
                                           expected[static_cast<size_t>(i)]) <= kTolerance)) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return wrong == 0 ? "" : base::str_cat(wrong.load(), " of ", count * 25, " runs wrong or lost");
}

// Late requests are answered, with a result or as late, and harm nobody after them.
std::string run_late(Trial& trial) {
  tensor::Request late;
  late.inputs = {rows(2, 1)};
  late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  for (int i = 0; i < 10; ++i) {
    const auto response = trial.run(late);
    if (!response.ok() && !absl::IsDeadlineExceeded(response.status())) {
      return said(response.status());
    }
  }
  return compare_rows(trial, 2);
}

std::string refuse_wrong_requests(Trial& trial) {
  const auto is_refused = [&](std::vector<tensor::Tensor> inputs) {
    return !trial.run(std::move(inputs)).ok();
  };
  if (!is_refused({})) return "a run without its input is not refused";
  if (!is_refused(
          {to_tensor("x", DataType::kInt64, made_up(DataType::kInt64, {2, 64}, 0, 9, 1))})) {
    return "an input of the wrong datatype is not refused";
  }
  if (!is_refused({to_tensor("x", DataType::kFp32, made_up(DataType::kFp32, {2, 63}, 0, 1, 1))})) {
    return "an input of the wrong shape is not refused";
  }
  return compare_rows(trial, 2);
}

}  // namespace

void check_shapes(Checks& checks) {
  on_model(checks, "shapes", "sizes that change from run to run", checks.kit.mlp(), run_sizes);
  on_model(checks, "shapes", "an output whose shape depends on the data", checks.kit.non_zero(),
           find_non_zero);
  on_model(checks, "shapes", "strings", checks.kit.strings(), hand_strings_through);
  on_model(checks, "shapes", "a loop whose end depends on the data", checks.kit.loop(), turn_loops);
  for (const int64_t count : {1, 4, 32}) {
    on_model(checks, "batches", base::str_cat("a batch of ", count, " equals its items"),
             checks.kit.mlp(), [count](Trial& trial) { return compare_rows(trial, count); });
  }
  on_model(checks, "placement", "a model that no accelerator has all operators for",
           checks.kit.mixed(), [](Trial& trial) -> std::string {
             const auto response = trial.run(
                 {to_tensor("x", DataType::kFp32, Array{{1, 8}, {1, 0, 2, 0, 3, 0, 4, 0}})});
             if (!response.ok()) return said(response.status());
             const Array expected{{1, 8}, {6, 4, 8, 4, 10, 4, 12, 4}};
             const double off = difference(to_array(response->outputs[0]), expected);
             return off <= kTolerance ? "" : base::str_cat("differs by ", off);
           });
}

void check_use(Checks& checks) {
  on_model(checks, "use", "runs at once", checks.kit.mlp(), run_at_once);
  on_model(checks, "use", "requests past their deadline", checks.kit.mlp(), run_late);
  on_model(checks, "use", "wrong requests are refused", checks.kit.mlp(), refuse_wrong_requests);
  on_model(checks, "use", "outputs outlive model and session", checks.kit.mlp(),
           [](Trial& trial) -> std::string {
             const auto response = trial.run({rows(3, 9)});
             if (!response.ok()) return said(response.status());
             const Array before = to_array(response->outputs[0]);
             trial.session.reset();
             trial.model.reset();
             return difference(to_array(response->outputs[0]), before) == 0
                        ? ""
                        : "an output changed when its model was closed";
           });
  checks.run("use", "a file that is no model is refused", [&](std::string group, std::string name) {
    tensor::Artefact broken;
    broken.format = std::string(checks.kit.format());
    broken.bytes = tensor::Buffer::copy_of("this is no model");
    const auto trial = open(checks.options.subject, broken);
    if (trial.ok()) return failed(group, name, "it was opened");
    if (absl::IsUnavailable(trial.status())) return failed(group, name, said(trial.status()));
    CaseResult refused{group, name, Outcome::kPassed, "", 0};
    refused.proves_a_run = false;  // so does an engine whose library is missing
    return refused;
  });
}

namespace {

// What is in use, without what the allocator keeps of what was given back.
uint64_t memory_in_use() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
  return base::process_usage().resident_bytes;
}

}  // namespace

void check_memory(Checks& checks) {
  if (base::heap_bytes() == 0) {
    checks.run("memory", "given back", [](const std::string& group, const std::string& name) {
      return CaseResult{group, name, Outcome::kSkipped,
                        "another allocator than the C library's keeps what it was given back", 0};
    });
    return;
  }
  constexpr size_t kWeights = size_t{32} << 20U;
  // What engines keep for the next time.
  constexpr uint64_t kKept = uint64_t{24} << 20U;
  const auto open_and_run = [&](const base::Result<tensor::Artefact>& artefact) -> base::Status {
    SN_TRY(artefact.status());
    SN_ASSIGN(const auto trial, open(checks.options.subject, *artefact));
    const Array ones{{4}, {1, 1, 1, 1}};
    return trial->run({to_tensor("x", DataType::kFp32, ones)}).status();
  };
  checks.run(
      "memory", base::str_cat("opened and closed ", checks.options.reloads, " times"),
      [&](std::string group, std::string name) {
        const auto artefact = checks.kit.heavy(size_t{1} << 20U);
        uint64_t before = 0;
        for (int i = 0; i < checks.options.reloads; ++i) {
          const base::Status status = open_and_run(artefact);
          if (!status.ok()) {
            return i == 0 ? not_opened(group, name, status)
                          : failed(group, name, base::str_cat("time ", i + 1, ": ", said(status)));
          }
          if (i == checks.options.reloads / 4) {
            before = memory_in_use();
          }
        }
        const uint64_t after = memory_in_use();
        if (after > before + kKept) {
          return failed(
              group, name,
              base::str_cat("memory grew from ", before >> 20U, " to ", after >> 20U, " MiB"));
        }
        return CaseResult{group, name, Outcome::kPassed, "", 0};
      });
  checks.run("memory", "given back on unload", [&](std::string group, std::string name) {
    const auto artefact = checks.kit.heavy(kWeights);
    // Once for what is loaded on first use and stays.
    if (const base::Status status = open_and_run(artefact); !status.ok()) {
      return not_opened(group, name, status);
    }
    const uint64_t before = memory_in_use();
    for (int i = 0; i < 4; ++i) {
      if (const base::Status status = open_and_run(artefact); !status.ok()) {
        return failed(group, name, said(status));
      }
    }
    const uint64_t after = memory_in_use();
    if (after > before + kKept) {
      return failed(group, name, base::str_cat(after - before, " bytes are not given back"));
    }
    return CaseResult{group, name, Outcome::kPassed, "", 0};
  });
}

// Such an engine takes a file of its own, and nobody here knows what it computes.
void check_any_model(Checks& checks) {
  checks.run("use", "a model of any content", [&](std::string group, std::string name) {
    tensor::Artefact anything;
    anything.format = "anything";
    anything.bytes = tensor::Buffer::copy_of("x");
    const auto trial = open(checks.options.subject, anything);
    if (!trial.ok()) return not_opened(group, name, trial.status());
    std::vector<tensor::Tensor> inputs;
    for (const auto& info : (*trial)->session->signature().inputs) {
      tensor::Shape shape = info.shape;
      for (int64_t& size : shape) size = size < 0 ? 2 : size;
      if (tensor::element_size(info.data_type) == 0) {
        return CaseResult{group, name, Outcome::kSkipped, "its inputs are strings", 0};
      }
      inputs.push_back(
          to_tensor(info.name, info.data_type, made_up(info.data_type, shape, 0, 1, 1)));
    }
    for (int i = 0; i < checks.options.reloads; ++i) {
      const auto response = (*trial)->run(inputs);
      if (!response.ok()) return failed(group, name, said(response.status()));
    }
    return passed(group, name, **trial);
  });
}

}  // namespace supernova::conformance
