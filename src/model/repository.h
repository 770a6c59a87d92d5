// Looks at where models lie and says what is there, as plain values: a repository's models, their
// versions, their configuration's text, and fingerprints by which a change is noticed. A look reads
// folders and config.pbtxt, never a model file (but for bare files, which are recognised by
// content).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/model_source.h"

namespace supernova::model {

struct SeenVersion {
  int64_t number = 1;
  std::string path;   // the version's folder, or the bare file or folder
  std::string inner;  // "model.savedmodel": the one folder in it that is the model, "" = none
  uint64_t fingerprint = 0;  // of names, sizes, times and inodes of its files
  uint64_t byte_size = 0;
  bool operator==(const SeenVersion&) const = default;
};

struct SeenModel {
  std::string name;
  std::string place;                  // its folder or file, for messages
  std::string folder;                 // where config.pbtxt and label files lie; "" for a bare file
  bool has_config = false;            // there is a config.pbtxt
  std::string config_text;            // its content
  uint64_t fingerprint = 0;           // of the files beside the versions
  std::vector<SeenVersion> versions;  // lowest first
  std::string problem;                // why it can't be served; "" = nothing known
  bool operator==(const SeenModel&) const = default;
};
using SeenModels = std::map<std::string, SeenModel, std::less<>>;

// One look at one repository, or at one MODEL argument.
struct Look {
  std::string place;
  base::Status status;                // why nothing can be said; `models` is empty then
  uint64_t identity = 0;              // of the folder itself: another file system, another identity
  std::vector<SeenModel> models;      // by name
  std::vector<std::string> problems;  // a line for each thing that isn't served, or not as written
};

// Whether a bare file or folder holds a model of a known format.
using Recognises = std::function<bool(const std::string& path)>;

// Entries: `<model>/<version>/...`, `<model>/` holding a model itself, and `<model>.<ext>` where
// `recognises` says it is a model. Hidden entries are skipped. With `only`, just that model.
Look look_at_repository(const std::string& folder, const Recognises& recognises,
                        std::string_view only = {});
// The names of a repository's models, without looking into them; none where it can't be read.
std::vector<std::string> names_in_repository(const std::string& folder,
                                             const Recognises& recognises);
// A MODEL argument: a file, a folder holding a model, or a model's folder of a repository.
Look look_at_model(const VersionSource& source, const Recognises& recognises);

// `now`, or `before` with the reason when `now` can't be believed: the folder can't be read, or it
// is suddenly another one with nothing in it (a file system that is gone).
Look believe(const Look& before, const Look& now);

// All models of several looks. A name that two of them hold is refused, naming both places.
SeenModels merge(const std::vector<Look>& looks);

}  // namespace supernova::model
