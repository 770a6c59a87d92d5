// Log lines on stderr: time, level, message. Safe from any thread.
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace supernova::base {

enum class LogLevel { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3, kOff = 4 };

void set_log_level(LogLevel level);
LogLevel log_level();
// Writes one line. Control characters in `message` are escaped, so that content from outside can't
// forge lines.
void log(LogLevel level, std::string_view message);

}  // namespace supernova::base

// SN_LOG(Info, "loaded {}", name): formats only when the level is on.
#define SN_LOG(level, ...)                                                                     \
  do {                                                                                         \
    if (::supernova::base::LogLevel::k##level >= ::supernova::base::log_level()) {             \
      ::supernova::base::log(::supernova::base::LogLevel::k##level, fmt::format(__VA_ARGS__)); \
    }                                                                                          \
  } while (false)
