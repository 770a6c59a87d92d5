// The ONNX Runtime library of this process: found, loaded and opened once, never unloaded (its
// threads and static objects don't survive that). Safe from any thread.
#pragma once

#include <onnxruntime_c_api.h>
#include <supernova/engine.h>

#include <memory>
#include <string>

#include "base/status.h"

namespace supernova::engine::onnxruntime {

struct Runtime {
  const OrtApi* api = nullptr;
  std::string version;
  std::string path;  // where the library came from
  OrtEnv* env = nullptr;
  OrtMemoryInfo* cpu_memory = nullptr;
  OrtAllocator* allocator = nullptr;  // the default one, for names and strings
};

// Loads the library when first called; a failure is tried again by the next call.
base::Result<const Runtime*> load_runtime();
// The loaded runtime's table; valid after load_runtime has succeeded once.
const OrtApi& api();

// Sends what the runtime logs to `host` until remove_log_host. The latest one gets it.
void add_log_host(const sn_host* host);
void remove_log_host(const sn_host* host);
// A line of this engine's own, to the same.
enum class Level { kDebug, kInfo, kWarning, kError };
void log(Level level, const std::string& line);

// An OrtStatus (null = success) as a Status; releases it.
base::Status to_status(OrtStatus* status);
absl::StatusCode status_code(OrtErrorCode code);

template <auto Release>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    (api().*Release)(object);
  }
};
using SessionPtr = std::unique_ptr<OrtSession, Releaser<&OrtApi::ReleaseSession>>;
using SessionOptionsPtr =
    std::unique_ptr<OrtSessionOptions, Releaser<&OrtApi::ReleaseSessionOptions>>;
using TypeInfoPtr = std::unique_ptr<OrtTypeInfo, Releaser<&OrtApi::ReleaseTypeInfo>>;
using TensorInfoPtr =
    std::unique_ptr<OrtTensorTypeAndShapeInfo, Releaser<&OrtApi::ReleaseTensorTypeAndShapeInfo>>;
using ValuePtr = std::unique_ptr<OrtValue, Releaser<&OrtApi::ReleaseValue>>;

}  // namespace supernova::engine::onnxruntime

// Returns from the calling function when an OrtApi call fails.
#define SN_ORT_TRY(call) SN_TRY(::supernova::engine::onnxruntime::to_status(call))
