// Which folder holds the cache.
#pragma once

#include <string>

#include "base/status.h"

namespace supernova::compile {

// $SUPERNOVA_CACHE_DIR, else $XDG_CACHE_HOME/supernova, else ~/.cache/supernova; "" without a home.
std::string default_cache_folder();

// Makes it, for this user alone, where it doesn't exist. Refuses what is no folder, and a folder
// into which everybody may write: what is in the cache is run.
base::Status prepare_cache_folder(const std::string& folder);

}  // namespace supernova::compile
