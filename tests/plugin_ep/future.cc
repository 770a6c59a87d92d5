// A plug-in built for a version of the runtime that is not out yet: it asks for that version's
// functions, gets none and says so.
#include <onnxruntime_c_api.h>

namespace {
constexpr uint32_t kFuture = ORT_API_VERSION + 1000;
}

extern "C" {

__attribute__((visibility("default"))) OrtStatus* CreateEpFactories(
    const char*, const OrtApiBase* base, const OrtLogger*, OrtEpFactory**, size_t, size_t* count) {
  *count = 0;
  if (base->GetApi(kFuture) != nullptr) return nullptr;
  return base->GetApi(ORT_API_VERSION)
      ->CreateStatus(ORT_NOT_IMPLEMENTED, "plugin_ep_future was built for API version 1029");
}

__attribute__((visibility("default"))) OrtStatus* ReleaseEpFactory(OrtEpFactory*) {
  return nullptr;
}
}
