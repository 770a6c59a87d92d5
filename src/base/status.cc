#include "base/status.h"

#include <cstdio>
#include <cstdlib>

namespace supernova::base {

Status annotate(const Status& status, std::string_view context) {
  if (status.ok()) return status;
  return Status(status.code(), base::str_cat(context, ": ", status.message()));
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "fatal: broken invariant '%s' at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace supernova::base
