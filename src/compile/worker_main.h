// The other side of worker_process.h: takes the one job that the server lends, does it within its
// limits, answers, ends. Nothing is torn down: the process goes as it is.
#pragma once

#include "engine/catalogue.h"
#include "import/importer.h"

namespace supernova::compile {

// Returns the exit code. `importers` and `engines` hold what the job may name. For a program that
// does nothing else.
int run_worker_job(const import::ImporterRegistry& importers, engine::Catalogue& engines);

}  // namespace supernova::compile
