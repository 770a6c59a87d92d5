// An importer turns a trained model in its framework's own file into an artefact of the hub, ONNX.
// One folder per source format; the registration list is generated. Importers are stateless and
// thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/artefact.h"

namespace supernova::import {

// An operator of the source format that an importer converts.
struct SupportedOperator {
  std::string name;
  std::string notes;  // what of it is refused, "" = nothing
};

class Importer {
 public:
  virtual ~Importer() = default;
  // "onnx"
  virtual std::string_view format() const = 0;
  // The model file, when `path` (a file, or a folder that holds one model) is of this format by its
  // content; "" when it isn't. An unreadable file is not of any format.
  virtual std::string recognise(const std::string& path) const = 0;
  // `file` as recognise() returned it. Errors name the file, the place in it, and the reason.
  virtual base::Result<tensor::ImportedModel> import(const std::string& file,
                                                     const tensor::Options& options) const = 0;
  // Sorted by name; empty for a format that needs no conversion.
  virtual std::vector<SupportedOperator> operators() const { return {}; }
  // Goes up with every change after which import() gives another artefact for the same file: what
  // the cache on disk holds is made again.
  virtual int version() const { return 1; }
  // Whether import() of `file` may run inside a server: every access is bounds-checked, nothing is
  // mapped, nothing is converted, and it takes milliseconds. Others run in a worker process
  // (docs/adr/0010).
  virtual bool is_light(const std::string& /*file*/) const { return false; }
};

class ImporterRegistry final : public tensor::ArtefactProvider {
 public:
  void add(std::unique_ptr<Importer> importer);
  bool recognises(const std::string& path) const override;
  base::Result<tensor::SourceFile> identify(const std::string& path) const override;
  struct Choice {
    const Importer* importer = nullptr;
    std::string file;  // as its recognise() returned it
  };
  // Who imports `path`. Refuses: a path that doesn't exist or can't be read, unknown content (the
  // formats there are), and content of two formats at once (both names).
  base::Result<Choice> choose(const std::string& path) const;
  // Null when there is none.
  const Importer* find(std::string_view format) const;
  // Imports what choose() finds, in this process.
  base::Result<tensor::ImportedModel> provide(const std::string& path,
                                              const tensor::Options& options) override;
  std::vector<std::string> formats() const;
  const std::vector<std::unique_ptr<Importer>>& importers() const { return importers_; }

 private:
  std::vector<std::unique_ptr<Importer>> importers_;
};

// Generated from the extension folders under src/import.
void register_importers(ImporterRegistry& registry);

}  // namespace supernova::import
