// What should serve of one model: its configuration and the versions that its policy selects. Pure:
// everything comes from a look at the repository.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/config_text.h"
#include "model/repository.h"

namespace supernova::model {

struct DesiredVersion {
  int64_t number = 1;
  std::string path;          // what the importer opens
  std::string place;         // the version's folder, or the bare file or folder
  uint64_t fingerprint = 0;  // of files and configuration
  uint64_t byte_size = 0;
};

struct ModelPlan {
  std::string name;
  std::string folder;                                    // for label files; "" = none
  std::shared_ptr<const inference::ModelConfig> config;  // as given; null = none
  std::vector<std::string> warnings;                     // to be logged when it is loaded
  std::vector<DesiredVersion> versions;                  // lowest first, at least one
  std::map<std::string, int64_t, std::less<>> labels;    // "stable" -> 3
  std::shared_ptr<const void> files;  // what keeps files of its own in place; may be null
};

// The configuration that counts: `override_json` where it is given, else the model's config.pbtxt;
// nullopt = there is none.
base::Result<std::optional<ParsedConfig>> read_config(const SeenModel& seen,
                                                      std::string_view override_json);

// Errors say why the model can't be served as it lies there. Labels are parameters of the
// configuration, "version_label.NAME" with the version as string_value.
base::Result<ModelPlan> make_plan(const SeenModel& seen, std::optional<ParsedConfig> config);

}  // namespace supernova::model
