// A model's configuration as text: `config.pbtxt` and the JSON of the load API in, the JSON of the
// `config` API out. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model_config.pb.h"

namespace supernova::model {

// Longer text is refused unread. Files in use are a few KiB.
inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;

struct ParsedConfig {
  inference::ModelConfig config;
  std::vector<std::string> warnings;  // a line for each field that is not known, with its place
};

// `where` names the file in messages. INVALID_ARGUMENT for what is no configuration: with line and
// column in text form, with the field in JSON. Strings of the result are UTF-8, its enums known and
// its numbers finite.
base::Result<ParsedConfig> parse_config_text(std::string_view text, std::string_view where);
base::Result<ParsedConfig> parse_config_json(std::string_view json, std::string_view where);

// Field names as in the proto, enums by name, 64-bit integers as numbers, defaults written out.
std::string config_json(const inference::ModelConfig& config);

}  // namespace supernova::model
