#include "protocol/oip/handlers.h"
#include "protocol/oip/json_object.h"
#include "protocol/oip/metadata.h"

namespace supernova::protocol::oip {
namespace {

constexpr std::string_view kTrace = "the trace settings";
constexpr std::string_view kLog = "the log settings";

// null, or a value that is text on the wire; numbers are taken for their digits.
base::Status read_field(JsonReader& reader, const std::string& key,
                        service::TraceUpdate::Field<std::string>& field) {
  field.emplace();
  std::string_view raw;
  const char c = reader.peek();
  if (c == 'n') {
    reader.skip_value(raw);
  } else if (c == '-' || (c >= '0' && c <= '9')) {
    if (reader.skip_value(raw)) *field = std::string(raw);
  } else {
    SN_ASSIGN(*field, read_text(reader, key, kTrace));
  }
  return reader.status();
}

// null, a list of words, or one word.
base::Status read_level(JsonReader& reader, const std::string& key,
                        service::TraceUpdate::Field<std::vector<std::string>>& field) {
  field.emplace();
  std::string_view raw;
  if (reader.peek() == 'n') {
    reader.skip_value(raw);
    return reader.status();
  }
  std::vector<std::string> words;
  if (reader.peek() == '[') {
    for (bool first = true; reader.next_element(first);) {
      SN_ASSIGN(std::string word, read_text(reader, key, kTrace));
      words.push_back(std::move(word));
    }
  } else {
    SN_ASSIGN(std::string word, read_text(reader, key, kTrace));
    words.push_back(std::move(word));
  }
  SN_TRY(reader.status());
  *field = std::move(words);
  return {};
}

base::Result<service::TraceUpdate> decode_trace_update(std::string_view text) {
  service::TraceUpdate update;
  const auto member = [&](JsonReader& reader, const std::string& key) -> base::Status {
    if (key == "trace_level") return read_level(reader, key, update.level);
    if (key == "trace_rate") return read_field(reader, key, update.rate);
    if (key == "trace_count") return read_field(reader, key, update.count);
    if (key == "log_frequency") return read_field(reader, key, update.log_frequency);
    if (key == "trace_file") return read_field(reader, key, update.file);
    return absl::InvalidArgumentError(
        base::str_cat("'", key,
                      "' is no trace setting that can be changed; known: trace_level, "
                      "trace_rate, trace_count, log_frequency"));
  };
  SN_TRY(read_json_text(text, kTrace, member));
  return update;
}

base::Result<service::LogSettings> decode_log_update(std::string_view text) {
  service::LogSettings update;
  const auto member = [&](JsonReader& reader, const std::string& key) {
    return read_parameter(reader, key, kLog, update[key]);
  };
  SN_TRY(read_json_text(text, kLog, member));
  return update;
}

}  // namespace

void trace_settings(Call call) {
  call.respond(json_or_error(call.service.trace_settings(call.caller, call.path.model),
                             trace_settings_json));
}

void update_trace_settings(Call call) {
  const auto update = decode_trace_update(call.request.body.view());
  if (!update.ok()) return call.respond(error_reply(update.status()));
  call.respond(
      json_or_error(call.service.update_trace_settings(call.caller, call.path.model, *update),
                    trace_settings_json));
}

void log_settings(Call call) {
  call.respond(json_or_error(call.service.log_settings(call.caller), log_settings_json));
}

void update_log_settings(Call call) {
  const auto update = decode_log_update(call.request.body.view());
  if (!update.ok()) return call.respond(error_reply(update.status()));
  call.respond(
      json_or_error(call.service.update_log_settings(call.caller, *update), log_settings_json));
}

}  // namespace supernova::protocol::oip
