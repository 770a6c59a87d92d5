#include "engine/tflite/runtime.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

namespace supernova::engine::tflite {
namespace {

constexpr char kLibrary[] = "libtensorflowlite_c.so";
constexpr char kLibraryVariable[] = "SUPERNOVA_TFLITE_LIBRARY";
// LiteRT's library, should it export TF Lite's interface: ai-edge-litert 2.3 hides it.
constexpr const char* kNames[] = {kLibrary, "libtensorflowlite_c.so.2", "libtensorflow-lite.so",
                                  "libLiteRt.so"};

std::mutex load_mutex;
std::map<std::string, std::unique_ptr<Runtime>> loaded;  // by the path asked for

// The lib folder beside the executable's own, or "" when that can't be told.
std::string library_folder() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0 || length == static_cast<ssize_t>(sizeof(path))) return "";
  const std::string executable(path, static_cast<size_t>(length));
  return base::str_cat(executable.substr(0, executable.rfind('/')), "/../lib/");
}

std::vector<std::string> candidates(const std::string& chosen) {
  if (!chosen.empty()) return {chosen};
  const char* named = std::getenv(kLibraryVariable);
  if (named != nullptr && *named != '\0') return {named};
  std::vector<std::string> paths;
  const std::string folder = library_folder();
  for (const char* name : kNames) {
    const std::string path = folder + name;
    if (!folder.empty() && access(path.c_str(), F_OK) == 0) paths.push_back(path);
  }
  paths.insert(paths.end(), std::begin(kNames), std::end(kNames));
  return paths;
}

std::string last_error(const std::string& path) {
  const char* reason = dlerror();
  return reason != nullptr ? reason : base::str_cat(path, ": can't be loaded");
}

// Fills the table; gives the name of a function that the library lacks, or "".
std::string bind(void* library, c::Api& api) {
  std::string missing;
  const auto get = [&](const char* name, auto& function, bool needed = true) {
    void* symbol = dlsym(library, name);
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
    if (symbol == nullptr && needed && missing.empty()) missing = name;
  };
#define SN_NEEDED(name) get(#name, api.name)
#define SN_OPTIONAL(name) get(#name, api.name, false)
  SN_NEEDED(TfLiteVersion);
  SN_NEEDED(TfLiteModelCreate);
  SN_NEEDED(TfLiteModelDelete);
  SN_NEEDED(TfLiteInterpreterOptionsCreate);
  SN_NEEDED(TfLiteInterpreterOptionsDelete);
  SN_NEEDED(TfLiteInterpreterOptionsSetNumThreads);
  SN_NEEDED(TfLiteInterpreterOptionsAddDelegate);
  SN_NEEDED(TfLiteInterpreterOptionsSetErrorReporter);
  SN_NEEDED(TfLiteInterpreterCreate);
  SN_NEEDED(TfLiteInterpreterDelete);
  SN_NEEDED(TfLiteInterpreterGetInputTensorCount);
  SN_NEEDED(TfLiteInterpreterGetInputTensor);
  SN_NEEDED(TfLiteInterpreterResizeInputTensor);
  SN_NEEDED(TfLiteInterpreterAllocateTensors);
  SN_NEEDED(TfLiteInterpreterInvoke);
  SN_NEEDED(TfLiteInterpreterGetOutputTensorCount);
  SN_NEEDED(TfLiteInterpreterGetOutputTensor);
  SN_NEEDED(TfLiteTensorType);
  SN_NEEDED(TfLiteTensorNumDims);
  SN_NEEDED(TfLiteTensorDim);
  SN_NEEDED(TfLiteTensorByteSize);
  SN_NEEDED(TfLiteTensorData);
  SN_NEEDED(TfLiteTensorCopyFromBuffer);
  SN_OPTIONAL(TfLiteInterpreterResetVariableTensors);
  SN_OPTIONAL(TfLiteTensorRealloc);
  SN_OPTIONAL(TfLiteInterpreterOptionsEnableCancellation);
  SN_OPTIONAL(TfLiteInterpreterCancel);
  SN_OPTIONAL(TfLiteXNNPackDelegateCreate);
  SN_OPTIONAL(TfLiteXNNPackDelegateDelete);
#undef SN_NEEDED
#undef SN_OPTIONAL
  return missing;
}

base::Result<std::unique_ptr<Runtime>> load(const std::string& chosen) {
  std::vector<std::string> failures;
  for (const std::string& path : candidates(chosen)) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      // One line for all the names under which the system has none.
      std::string reason = last_error(path);
      const bool absent = reason.find("No such file") != std::string::npos;
      if (!absent || failures.empty()) failures.push_back(std::move(reason));
      continue;
    }
    auto runtime = std::make_unique<Runtime>();
    const std::string missing = bind(library, runtime->api);
    if (!missing.empty()) {
      failures.push_back(base::str_cat(path, ": exports no ", missing,
                                       ", so it is not TensorFlow Lite's C library"));
      continue;
    }
    runtime->path = path;
    const char* version = runtime->api.TfLiteVersion();
    runtime->version = version != nullptr && *version != '\0' ? version : "unknown";
    return runtime;
  }
  return absl::FailedPreconditionError(
      base::str_cat("TensorFlow Lite can't be loaded: ", base::str_join(failures, "; "),
                    ". 'make engines' installs it; or put ", kLibrary,
                    " into the lib folder beside bin, or name it in ", kLibraryVariable));
}

}  // namespace

base::Result<const Runtime*> load_runtime(const std::string& path) {
  std::lock_guard lock(load_mutex);
  std::unique_ptr<Runtime>& runtime = loaded[path];
  if (runtime == nullptr) {
    SN_ASSIGN(runtime, load(path));
  }
  return runtime.get();
}

base::Result<void*> open_library(const std::string& name) {
  // A delegate that misses one of its functions says so now, not in the middle of a request.
  if (name.find('/') == std::string::npos) {
    const std::string beside = library_folder() + name;
    if (access(beside.c_str(), R_OK) == 0) {
      if (void* library = dlopen(beside.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
      return absl::FailedPreconditionError(last_error(beside));
    }
  }
  if (void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  return absl::FailedPreconditionError(last_error(name));
}

}  // namespace supernova::engine::tflite
