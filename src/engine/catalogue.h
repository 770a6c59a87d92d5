// The engines of this process: those built in (the generated registration list) and those loaded
// from shared libraries. Filled at start, then read-only and safe from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace supernova::engine {

class Catalogue {
 public:
  // Registers a built-in engine under its folder's name; opened when first needed, so that an
  // unused engine costs nothing. Called by generated code only.
  void add_builtin(std::string name, sn_engine_entry_fn entry);
  // Opens an out-of-tree engine at once; refuses a name that is taken.
  base::Status add_library(const std::string& path, const Options& options);

  // The engine of that name, opened if need be; NOT_FOUND lists the names there are.
  base::Result<Engine*> find(std::string_view name);
  // Opens that engine, or each that there is where the name is empty, before it is needed. A
  // failure shows when it is.
  void open_early(std::string_view name = {});
  std::vector<std::string> names() const;
  // The engine with the best verdict for this artefact on this device, or the reasons why none can.
  base::Result<Engine*> choose(const Artefact& artefact, const sn_device& device,
                               const Options& options);

 private:
  struct Entry;
  base::Result<Engine*> open(Entry& entry);
  std::vector<std::shared_ptr<Entry>> entries_;
};

// Generated from the extension folders under src/engine.
void register_builtin_engines(Catalogue& catalogue);

}  // namespace supernova::engine
