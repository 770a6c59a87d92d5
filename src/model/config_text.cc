#include "model/config_text.h"

namespace supernova::model {

base::Result<ParsedConfig> parse_config_text(std::string_view, std::string_view) {
  return absl::UnimplementedError("config.pbtxt is not read yet");
}

base::Result<ParsedConfig> parse_config_json(std::string_view, std::string_view) {
  return absl::UnimplementedError("a configuration in JSON is not read yet");
}

}  // namespace supernova::model
