// A model's configuration as text: `config.pbtxt` and the JSON of the load API in, the JSON of the
// `config` API out. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model_config.pb.h"

namespace supernova::model {

struct ParsedConfig {
  inference::ModelConfig config;
  std::vector<std::string> warnings;  // a line for each field that is not known, with its place
};

// `where` names the file in messages. INVALID_ARGUMENT with line and column for what is no
// configuration.
base::Result<ParsedConfig> parse_config_text(std::string_view text, std::string_view where);
base::Result<ParsedConfig> parse_config_json(std::string_view json, std::string_view where);

// Field names as in the proto, enums by name, 64-bit integers as numbers, defaults written out.
std::string config_json(const inference::ModelConfig& config);

}  // namespace supernova::model
