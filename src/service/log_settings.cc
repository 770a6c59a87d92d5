#include "service/log_settings.h"

#include <atomic>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "base/log.h"

namespace supernova::service {
namespace {

using base::LogFormat;
using base::LogLevel;
using tensor::Parameter;

// Triton's verbose levels tell more details apart than there are here; clients get back what they
// set.
std::atomic<uint64_t> g_verbose_level{1};

struct Switch {
  std::string_view key;
  LogLevel level;
};
constexpr Switch kSwitches[] = {{"log_info", LogLevel::kInfo},
                                {"log_warning", LogLevel::kWarning},
                                {"log_error", LogLevel::kError}};

base::Status wrong_value(std::string_view key, std::string_view wanted) {
  return absl::InvalidArgumentError(base::str_cat("log setting '", key, "' must be ", wanted));
}

using Change = std::function<void()>;

base::Result<Change> verbose_change(const Parameter& value) {
  std::optional<uint64_t> level;
  if (const auto* number = std::get_if<uint64_t>(&value)) level = *number;
  if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && *number >= 0) {
    level = static_cast<uint64_t>(*number);
  }
  if (!level || *level > std::numeric_limits<uint32_t>::max()) {
    return wrong_value("log_verbose_level", "a whole number from 0 on");
  }
  return Change([level = *level] {
    if (level > 0) g_verbose_level = level;
    base::set_log_enabled(LogLevel::kDebug, level > 0);
  });
}

base::Result<Change> format_change(const Parameter& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || (*text != "default" && *text != "ISO8601")) {
    return wrong_value("log_format", "\"default\" or \"ISO8601\"");
  }
  // Lines of JSON have one form of time; who reads them must not find text all of a sudden.
  if (base::log_format() == LogFormat::kJson) {
    if (*text == "ISO8601") return Change([] {});
    return absl::InvalidArgumentError(
        "log setting 'log_format' can't be changed: the server was started with --log-format=json");
  }
  const auto format = *text == "default" ? LogFormat::kClassic : LogFormat::kText;
  return Change([format] { base::set_log_format(format); });
}

base::Result<Change> change_of(std::string_view key, const Parameter& value) {
  if (key == "log_file") {
    return absl::UnimplementedError(
        "log file location can not be updated through network protocol");
  }
  for (const Switch& one : kSwitches) {
    if (key != one.key) continue;
    const auto* on = std::get_if<bool>(&value);
    if (on == nullptr) return wrong_value(key, "true or false");
    return Change([level = one.level, on = *on] { base::set_log_enabled(level, on); });
  }
  if (key == "log_verbose_level") return verbose_change(value);
  if (key == "log_format") return format_change(value);
  return absl::InvalidArgumentError(
      base::str_cat("unknown log setting '", key,
                    "'; there are log_info, log_warning, log_error, log_verbose_level, "
                    "log_format"));
}

}  // namespace

LogSettings current_log_settings() {
  LogSettings settings;
  settings["log_file"] = base::log_file();
  for (const Switch& one : kSwitches) {
    settings[std::string(one.key)] = base::log_enabled(one.level);
  }
  settings["log_verbose_level"] =
      base::log_enabled(LogLevel::kDebug) ? g_verbose_level.load() : uint64_t{0};
  settings["log_format"] =
      std::string(base::log_format() == LogFormat::kClassic ? "default" : "ISO8601");
  return settings;
}

base::Status apply_log_settings(const LogSettings& update) {
  std::vector<Change> changes;
  for (const auto& [key, value] : update) {
    SN_ASSIGN(Change change, change_of(key, value));
    changes.push_back(std::move(change));
  }
  for (const Change& change : changes) change();
  return {};
}

}  // namespace supernova::service
