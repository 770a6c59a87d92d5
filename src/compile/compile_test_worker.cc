// The worker of this folder's tests: imports what FakeImporter takes, prepares for the engines that
// are built in.
#include "compile/worker_main.h"
#include "support/fake_importer.h"

int main() {
  supernova::import::ImporterRegistry importers;
  supernova::engine::Catalogue engines;
  importers.add(std::make_unique<supernova::test::FakeImporter>());
  supernova::import::register_importers(importers);
  supernova::engine::register_builtin_engines(engines);
  return supernova::compile::run_worker_job(importers, engines);
}
