// The key of an import: the importer and its version, the options, and every file that the artefact
// was made from, by content. The importer says which these are only afterwards; until it has,
// nothing is known of the model. One that doesn't say has everything in the model's folder
// count, by name and time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "compile/file_digests.h"
#include "import/importer.h"
#include "tensor/artefact.h"

namespace supernova::compile {

class ImportSources {
 public:
  // Looks at the model itself. Of what can't be looked at nothing is kept.
  ImportSources(const FileDigests& digests, const import::ImporterRegistry::Choice& choice,
                const tensor::Options& options, const std::string& producer);

  // Where the names of the files are kept; "" = nowhere.
  std::string names_key() const;
  // The files that the import used beside the model itself, by names that a moved model keeps.
  std::vector<std::string> names_of(const tensor::ImportedModel& model) const;

  // Before the import, with the names as they were kept: the key to look under.
  std::string find_key(const std::vector<std::string>& names);
  // After it: the key to keep it under; an error where a file changed meanwhile, or may have.
  base::Result<std::string> keep_key(const std::vector<std::string>& names);

  // Of the model, or of what may belong to it.
  uint64_t byte_size() const { return byte_size_; }

 private:
  std::string path_of(const std::string& name) const;
  const DigestedFile* known(const std::string& path) const;
  base::Result<std::string> key_of(const std::vector<std::string>& names);

  const FileDigests& digests_;
  const std::string file_;
  const std::string folder_;
  const int64_t looked_at_ns_;
  std::string base_key_;               // "" = nothing can be kept
  std::vector<DigestedFile> files_;    // as they were before the import
  ptrdiff_t own_files_ = 0;            // how many of them are the model itself
  base::Result<std::string> listing_;  // of the folder, before the import
  uint64_t byte_size_ = 0;
};

}  // namespace supernova::compile
