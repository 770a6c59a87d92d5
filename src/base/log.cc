#include "base/log.h"

#include <fmt/chrono.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>

#include "base/json_writer.h"

namespace supernova::base {
namespace {

constexpr unsigned bit(LogLevel level) { return 1U << static_cast<unsigned>(level); }
constexpr unsigned kAll = bit(LogLevel::kOff) - 1;

// Where lines go. The mutex guards changes of the destination against writers.
struct Destination {
  std::mutex mutex;
  spdlog::sink_ptr sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  std::string file;
  const char* pattern = nullptr;  // that the sink was given
};

std::atomic<unsigned> g_enabled{kAll & ~bit(LogLevel::kDebug)};
std::atomic<LogFormat> g_format{LogFormat::kText};

Destination& destination() {
  static auto* const instance = new Destination;  // outlives whatever logs at the end
  return *instance;
}

const char* pattern_of(LogFormat format) {
  switch (format) {
    case LogFormat::kText:
      return "%Y-%m-%dT%H:%M:%S.%e%z %l %v";
    case LogFormat::kClassic:
      return "%L%m%d %H:%M:%S.%f %P] %v";
    case LogFormat::kJson:
      break;
  }
  return "%v";
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      break;
  }
  return "off";
}

std::string escape_control(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

void append_json_value(std::string& line, const LogField& field) {
  if (const auto* number = std::get_if<int64_t>(&field.value)) {
    append_json_number(line, *number);
  } else if (const auto* real = std::get_if<double>(&field.value)) {
    if (std::isfinite(*real)) {
      append_json_number(line, *real);
    } else {
      line += "null";
    }
  } else if (const auto* truth = std::get_if<bool>(&field.value)) {
    line += *truth ? "true" : "false";
  } else {
    append_json_string(line, std::get<std::string_view>(field.value));
  }
}

std::string json_line(LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  const auto now =
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = now.time_since_epoch().count() % 1000;
  std::string line = fmt::format(
      R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","message":)",
      fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds, level_name(level));
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line += ',';
    append_json_string(line, field.key);
    line += ':';
    append_json_value(line, field);
  }
  line += '}';
  return line;
}

std::string text_line(std::string_view message, std::initializer_list<LogField> fields) {
  std::string line = escape_control(message);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text != nullptr && !text->empty() &&
        text->find_first_of(" =\"\\") == std::string_view::npos) {
      line += escape_control(*text);
    } else {
      append_json_value(line, field);
    }
  }
  return line;
}

}  // namespace

void set_log_level(LogLevel level) { g_enabled = kAll & ~(bit(level) - 1); }

LogLevel log_level() {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (log_enabled(level)) return level;
  }
  return LogLevel::kOff;
}

void set_log_enabled(LogLevel level, bool enabled) {
  if (enabled) {
    g_enabled |= bit(level) & kAll;
  } else {
    g_enabled &= ~bit(level);
  }
}

bool log_enabled(LogLevel level) {
  return (g_enabled.load(std::memory_order_relaxed) & bit(level)) != 0;
}

void set_log_format(LogFormat format) { g_format = format; }
LogFormat log_format() { return g_format; }

Status set_log_file(const std::string& path) {
  spdlog::sink_ptr sink;
  try {
    if (path.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    }
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        str_cat("the log file ", path, " can't be opened: ", error.what()));
  }
  Destination& to = destination();
  std::lock_guard lock(to.mutex);
  to.sink = std::move(sink);
  to.file = path;
  to.pattern = nullptr;
  return {};
}

std::string log_file() {
  Destination& to = destination();
  std::lock_guard lock(to.mutex);
  return to.file;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!log_enabled(level)) return;
  const LogFormat format = log_format();
  const std::string line =
      format == LogFormat::kJson ? json_line(level, message, fields) : text_line(message, fields);
  Destination& to = destination();
  std::lock_guard lock(to.mutex);
  try {
    const char* const pattern = pattern_of(format);
    if (to.pattern != pattern) to.sink->set_pattern(to.pattern = pattern);
    to.sink->log(spdlog::details::log_msg("supernova", spdlog_level(level), line));
    to.sink->flush();
  } catch (const std::exception&) {
    // A full disk: there is no place left to say so.
  }
}

}  // namespace supernova::base
