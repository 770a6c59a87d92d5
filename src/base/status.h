// Errors as values. Only the canonical codes are used; the message names the thing that is wrong
// and the remedy. Thread-safety: values.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <utility>

#include "base/text.h"

namespace supernova::base {

using Status = absl::Status;
template <typename T>
using Result = absl::StatusOr<T>;

inline std::string_view message(const Status& status) {
  return {status.message().data(), status.message().size()};
}

// The status with `context: ` in front of its message; OK stays OK.
Status annotate(const Status& status, std::string_view context);

}  // namespace supernova::base

#define SN_CONCAT_INNER(a, b) a##b
#define SN_CONCAT(a, b) SN_CONCAT_INNER(a, b)

// Returns from the calling function when `expression` (a Status) is not OK.
#define SN_TRY(expression)                                          \
  do {                                                              \
    if (::absl::Status sn_status = (expression); !sn_status.ok()) { \
      return sn_status;                                             \
    }                                                               \
  } while (false)

// Evaluates a Result; returns its status on failure, else assigns its value to `target`.
#define SN_ASSIGN(target, expression) \
  SN_ASSIGN_IMPL(SN_CONCAT(sn_result_, __LINE__), target, expression)
#define SN_ASSIGN_IMPL(result, target, expression) \
  auto result = (expression);                      \
  if (!result.ok()) return result.status();        \
  target = std::move(result).value()

// Broken invariants end the process; nothing that comes from outside may reach one.
#define SN_CHECK(condition)                                                            \
  do {                                                                                 \
    if (!(condition)) ::supernova::base::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

namespace supernova::base {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace supernova::base
