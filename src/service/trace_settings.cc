#include "service/trace_settings.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace supernova::service {
namespace {

constexpr std::string_view kModeTriton = "triton";
constexpr std::string_view kModeOpenTelemetry = "opentelemetry";

base::Result<unsigned> parse_level(const std::vector<std::string>& names) {
  unsigned level = 0;
  for (const std::string& name : names) {
    if (name == "TIMESTAMPS") {
      level |= kTraceTimestamps;
    } else if (name == "TENSORS") {
      level |= kTraceTensors;
    } else if (name != "OFF") {
      return absl::InvalidArgumentError(
          base::str_cat("unknown trace level '", name, "'; levels are OFF, TIMESTAMPS, TENSORS"));
    } else if (names.size() > 1) {
      return absl::InvalidArgumentError("Expect only one trace level 'OFF' is specified");
    }
  }
  if (names.empty()) {
    return absl::InvalidArgumentError(
        "'trace_level' is empty; levels are OFF, TIMESTAMPS, TENSORS");
  }
  return level;
}

std::vector<std::string> level_names(unsigned level) {
  std::vector<std::string> names;
  if ((level & kTraceTimestamps) != 0) names.emplace_back("TIMESTAMPS");
  if ((level & kTraceTensors) != 0) names.emplace_back("TENSORS");
  if (names.empty()) names.emplace_back("OFF");
  return names;
}

// A whole number not below `least`, which is 0 or -1.
base::Result<int64_t> parse_number(std::string_view name, std::string_view text, int64_t least) {
  int64_t number = 0;
  if (least == -1 && text == "-1") return -1;
  if (base::parse_whole(text, number)) return number;
  return absl::InvalidArgumentError(base::str_cat("unable to parse '", name, "', got: '", text,
                                                  "'; a whole number is wanted",
                                                  least == -1 ? ", or -1 for no limit" : ""));
}

}  // namespace

base::Result<TraceSampler> TraceSampler::create(const TraceSettings& initial) {
  TraceSampler sampler;
  Values& values = sampler.initial_;
  SN_ASSIGN(values.level, parse_level(initial.level));
  SN_ASSIGN(values.rate, parse_number("trace_rate", initial.rate, 0));
  SN_ASSIGN(values.count, parse_number("trace_count", initial.count, -1));
  SN_ASSIGN(values.log_frequency, parse_number("log_frequency", initial.log_frequency, 0));
  values.file = initial.file;
  sampler.mode_ = initial.mode;
  sampler.global_.remaining = values.count;
  return sampler;
}

TraceSampler::Values TraceSampler::merge(const Values& above, const Given& given) {
  return {given.level.value_or(above.level), given.rate.value_or(above.rate),
          given.count.value_or(above.count), given.log_frequency.value_or(above.log_frequency),
          given.file.value_or(above.file)};
}

TraceSampler::Values TraceSampler::values(std::string_view model) const {
  const auto at = models_.find(model);
  return at == models_.end() ? global() : merge(global(), at->second.given);
}

TraceSettings TraceSampler::settings(std::string_view model) const {
  const Values in_use = values(model);
  const auto at = models_.find(model);
  const Scope& scope = at == models_.end() ? global_ : at->second;
  return {level_names(in_use.level),
          std::to_string(in_use.rate),
          std::to_string(scope.remaining),
          std::to_string(in_use.log_frequency),
          in_use.file,
          mode_};
}

base::Status TraceSampler::apply(const TraceUpdate& update, Given& given) {
  if (update.level) {
    given.level.reset();
    if (*update.level) {
      SN_ASSIGN(given.level, parse_level(**update.level));
    }
  }
  const auto change = [](const TraceUpdate::Field<std::string>& field, std::string_view name,
                         int64_t least, std::optional<int64_t>& to) -> base::Status {
    if (!field) return {};
    to.reset();
    if (*field) {
      SN_ASSIGN(to, parse_number(name, **field, least));
    }
    return {};
  };
  SN_TRY(change(update.rate, "trace_rate", 0, given.rate));
  SN_TRY(change(update.count, "trace_count", -1, given.count));
  SN_TRY(change(update.log_frequency, "log_frequency", 0, given.log_frequency));
  if (update.file) given.file = *update.file;
  return {};
}

base::Status TraceSampler::update(std::string_view model, const TraceUpdate& update) {
  const auto at = models_.find(model);
  const bool is_new = !model.empty() && at == models_.end();
  Scope& before = model.empty() || is_new ? global_ : at->second;
  Scope scope = before;
  if (is_new) scope = {Given{}, 0, global_.remaining};
  SN_TRY(apply(update, scope.given));
  if (model.empty()) {
    global_ = scope;
    if (!update.count) return {};
    global_.remaining = global().count;
    for (auto& [name, other] : models_) {
      if (!other.given.count) other.remaining = global_.remaining;
    }
    return {};
  }
  if (scope.given.empty()) {
    if (!is_new) models_.erase(at);
    return {};
  }
  if (update.count) scope.remaining = scope.given.count.value_or(global_.remaining);
  models_.insert_or_assign(std::string(model), scope);
  return {};
}

bool TraceSampler::active() const {
  if (global().level != 0) return true;
  return std::any_of(models_.begin(), models_.end(),
                     [](const auto& entry) { return entry.second.given.level.value_or(0) != 0; });
}

unsigned TraceSampler::level(std::string_view model) const { return values(model).level; }

std::optional<TraceChoice> TraceSampler::choose(std::string_view model, bool demanded) {
  const Values in_use = values(model);
  if (in_use.level == 0) return std::nullopt;
  TraceChoice choice{in_use.level, in_use.file, in_use.log_frequency, false};
  if (demanded) return choice;
  const auto at = models_.find(model);
  Scope& scope = at == models_.end() ? global_ : at->second;
  if (in_use.rate == 0 || scope.remaining == 0) return std::nullopt;
  if (++scope.seen % static_cast<uint64_t>(in_use.rate) != 0) return std::nullopt;
  if (scope.remaining > 0) choice.last = --scope.remaining == 0;
  return choice;
}

namespace {

base::Status set_common(std::string_view key, std::string_view value, TraceConfig& config,
                        std::vector<std::string>& levels) {
  TraceSettings& settings = config.settings;
  if (key == "level") {
    levels.emplace_back(value);
  } else if (key == "rate") {
    settings.rate = value;
  } else if (key == "count") {
    settings.count = value;
  } else if (key == "mode") {
    if (value != kModeTriton && value != kModeOpenTelemetry) {
      return absl::InvalidArgumentError(
          base::str_cat("--trace-config mode=", value, ": modes are triton and opentelemetry"));
    }
    settings.mode = value;
  } else {
    return absl::InvalidArgumentError(
        base::str_cat("--trace-config: unknown setting '", key,
                      "'; there are level, rate, count, mode, triton,file, triton,log-frequency, "
                      "opentelemetry,url and opentelemetry,resource"));
  }
  return {};
}

base::Status set_one(std::string_view mode, std::string_view key, std::string_view value,
                     TraceConfig& config, std::vector<std::string>& levels) {
  if (mode != kModeOpenTelemetry && key == "file") {
    config.settings.file = value;
  } else if (mode != kModeOpenTelemetry && (key == "log-frequency" || key == "log_frequency")) {
    config.settings.log_frequency = value;
  } else if (mode != kModeTriton && key == "url") {
    config.url = value;
  } else if (mode != kModeTriton && key == "resource") {
    const size_t equals = value.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return absl::InvalidArgumentError(
          base::str_cat("--trace-config opentelemetry,resource=", value, ": KEY=VALUE is wanted"));
    }
    config.resource[std::string(value.substr(0, equals))] = value.substr(equals + 1);
  } else {
    return set_common(key, value, config, levels);
  }
  return {};
}

}  // namespace

base::Result<TraceConfig> parse_trace_config(const std::vector<std::string>& arguments) {
  TraceConfig config;
  std::vector<std::string> levels;
  for (const std::string& argument : arguments) {
    std::string_view rest = argument;
    std::string_view mode;
    for (const std::string_view known : {kModeTriton, kModeOpenTelemetry}) {
      if (rest.starts_with(known) && rest.substr(known.size()).starts_with(',')) {
        mode = known;
        rest.remove_prefix(known.size() + 1);
      }
    }
    while (!rest.empty()) {
      const std::string_view setting = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(setting.size() + 1, rest.size()));
      const size_t equals = setting.find('=');
      if (equals == std::string_view::npos) {
        return absl::InvalidArgumentError(
            base::str_cat("--trace-config ", argument, ": '", setting, "' is no SETTING=VALUE"));
      }
      SN_TRY(set_one(mode, setting.substr(0, equals), setting.substr(equals + 1), config, levels));
    }
  }
  if (!levels.empty()) config.settings.level = levels;
  SN_ASSIGN(const TraceSampler sampler, TraceSampler::create(config.settings));
  if (sampler.active() && config.settings.mode == kModeTriton && config.settings.file.empty()) {
    return absl::InvalidArgumentError(
        "tracing needs a file: --trace-config triton,file=PATH, or --trace-config "
        "mode=opentelemetry");
  }
  return config;
}

}  // namespace supernova::service
