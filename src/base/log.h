// The program's log: a line for each event, to stderr or a file, as text or as JSON objects. Levels
// and form can be changed at any time. Safe from any thread.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"

namespace supernova::base {

enum class LogLevel { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3, kOff = 4 };

enum class LogFormat {
  kText,     // 2026-01-31T12:00:00.123+00:00 info message key=value
  kClassic,  // I0131 12:00:00.123456 4711] message key=value
  kJson,     // {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"...","key":"value"}
};

// A detail of an event. Keys are identifiers of this program; values may be anything.
struct LogField {
  std::string_view key;
  std::variant<int64_t, double, bool, std::string_view> value;
};

// Every level from `level` on; kOff = none.
void set_log_level(LogLevel level);
LogLevel log_level();  // the lowest that is on
void set_log_enabled(LogLevel level, bool enabled);
bool log_enabled(LogLevel level);

void set_log_format(LogFormat format);
LogFormat log_format();
// From now on to the end of this file instead of stderr; "" = stderr. An error names the file and
// leaves things as they were.
Status set_log_file(const std::string& path);
std::string log_file();

// Writes one line, if the level is on. Control characters are escaped, so that content from outside
// can't forge lines.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace supernova::base

// SN_LOG(Info, "loaded {}", name): formats only when the level is on.
#define SN_LOG(level, ...)                                                                     \
  do {                                                                                         \
    if (::supernova::base::log_enabled(::supernova::base::LogLevel::k##level)) {               \
      ::supernova::base::log(::supernova::base::LogLevel::k##level, fmt::format(__VA_ARGS__)); \
    }                                                                                          \
  } while (false)
