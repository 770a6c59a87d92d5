// A model manager for tests of what lies above it: its models are all of one engine that the test
// makes up (support/fake_engine.h), and need no file.
#pragma once

#include "model/model_manager.h"

namespace supernova::testing_support {

class FakeManager {
 public:
  explicit FakeManager(sn_engine_entry_fn entry) { catalogue_.add_builtin("fake", entry); }
  ~FakeManager() { models_.drain(); }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  model::ModelManager& models() { return models_; }
  base::Status load(const std::string& name, int64_t version = 1,
                    const std::string& engine = "fake") {
    model::LoadOptions options;
    options.engine = engine;
    return models_.load({name, version, "/models/model.fake"}, options);
  }

 private:
  class NoImporter : public tensor::ArtefactProvider {
   public:
    bool recognises(const std::string&) const override { return false; }
    base::Result<tensor::ImportedModel> provide(const std::string&,
                                                const tensor::Options&) override {
      return absl::UnimplementedError("the fake engine reads files itself");
    }
  };

  NoImporter importer_;
  engine::Catalogue catalogue_;
  model::ModelManager models_{importer_, catalogue_};
};

}  // namespace supernova::testing_support
