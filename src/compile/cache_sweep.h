// Keeps the folder of the cache within its bounds.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/status.h"

namespace supernova::compile {

inline constexpr std::string_view kEntrySuffix = ".entry";
inline constexpr std::string_view kUsedSuffix = ".used";      // beside each entry
inline constexpr std::string_view kSourceSuffix = ".source";  // digests that are remembered
inline constexpr std::string_view kDraftPrefix = "draft-";

// What a file takes of the disk: it may have holes.
uint64_t stored_size(const struct stat& info);

// Held by the one process that sweeps and stores. Where it can't be had in ten seconds, whoever
// holds it is stuck, and this one goes on without: the bound may be passed, nothing else happens.
class CacheLock {
 public:
  explicit CacheLock(const std::string& folder);

 private:
  base::File file_;
};

// Removes what was used longest ago until entries take at most `byte_size` bytes, not counting that
// of `key`, which is replaced; what crashed writers left; and what belongs to nothing. What
// somebody has locked stays. Returns how many entries went.
base::Result<size_t> sweep_cache(const std::string& folder, uint64_t byte_size,
                                 const std::string& key);

}  // namespace supernova::compile
