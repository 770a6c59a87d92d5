#include "engine/onnxruntime/runtime.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

namespace supernova::engine::onnxruntime {
namespace {

constexpr char kLibrary[] = "libonnxruntime.so.1";
constexpr char kLibraryVariable[] = "SUPERNOVA_ONNXRUNTIME_LIBRARY";
constexpr char kTelemetryVariable[] = "ORT_DISABLE_TELEMETRY";

// The official library reports usage unless this is set before it is loaded: it would write files,
// start a thread and open connections. Set before main, because setenv is not safe once other
// threads read the environment.
__attribute__((constructor)) void disable_telemetry() { setenv(kTelemetryVariable, "1", 1); }

std::mutex load_mutex;
Runtime loaded;
// Kept apart from `loaded`, whose other members are only read after load_runtime returned.
const OrtApi* loaded_api = nullptr;

std::mutex log_mutex;
std::vector<const sn_host*> log_hosts;

// The runtime is talkative: what it calls a warning is rarely one for us, and what it calls an
// error also comes back as a status, which the caller reports.
Level host_level(OrtLoggingLevel severity) {
  return severity == ORT_LOGGING_LEVEL_FATAL ? Level::kError : Level::kDebug;
}

void log_to_host(void*, OrtLoggingLevel severity, const char* category, const char*,
                 const char* location, const char* message) noexcept {
  try {
    const std::string line =
        base::str_cat("onnxruntime: ", message ? message : "", " (", category ? category : "", ", ",
                      location ? location : "", ")");
    log(host_level(severity), line);
  } catch (...) {  // out of memory: a log line less
  }
}

// <folder of the executable>/../lib/libonnxruntime.so.1, or "" when that can't be told.
std::string beside_executable() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0 || length == static_cast<ssize_t>(sizeof(path))) return "";
  const std::string executable(path, static_cast<size_t>(length));
  const std::string folder = executable.substr(0, executable.rfind('/'));
  return base::str_cat(folder, "/../lib/", kLibrary);
}

std::vector<std::string> candidates() {
  if (const char* chosen = std::getenv(kLibraryVariable); chosen != nullptr && *chosen != '\0') {
    return {chosen};
  }
  std::vector<std::string> paths;
  if (std::string path = beside_executable(); !path.empty()) paths.push_back(std::move(path));
  paths.emplace_back(kLibrary);
  return paths;
}

struct Library {
  void* handle = nullptr;
  std::string path;
};

base::Result<Library> open_library() {
  const char* telemetry_off = std::getenv(kTelemetryVariable);
  if (telemetry_off == nullptr || std::strcmp(telemetry_off, "1") != 0) {
    setenv(kTelemetryVariable, "1", 1);
  }
  std::vector<std::string> failures;
  for (const std::string& path : candidates()) {
    if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return Library{handle, path};
    const char* reason = dlerror();
    failures.emplace_back(reason != nullptr ? reason : path);
  }
  return absl::FailedPreconditionError(
      base::str_cat("ONNX Runtime can't be loaded: ", base::str_join(failures, "; "), ". Put ",
                    kLibrary, " into the lib folder beside bin, or name it in ", kLibraryVariable));
}

base::Result<const OrtApi*> get_api(const Library& library, std::string& version) {
  using GetApiBase = const OrtApiBase* (*)();
  const auto get_base = reinterpret_cast<GetApiBase>(dlsym(library.handle, "OrtGetApiBase"));
  if (get_base == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat(library.path, " exports no OrtGetApiBase: it is not ONNX Runtime"));
  }
  const OrtApiBase* base = get_base();
  version = base->GetVersionString();
  const OrtApi* table = base->GetApi(ORT_API_VERSION);
  if (table == nullptr) {
    return absl::FailedPreconditionError(
        base::str_cat(library.path, " is ONNX Runtime ", version, ", which lacks API version ",
                      ORT_API_VERSION, "; install 1.", ORT_API_VERSION, " or later"));
  }
  return table;
}

base::Status open_environment(Runtime& runtime) {
  const OrtApi& table = *runtime.api;
  SN_ORT_TRY(table.CreateEnvWithCustomLogger(&log_to_host, nullptr, ORT_LOGGING_LEVEL_WARNING,
                                             "supernova", &runtime.env));
  SN_ORT_TRY(table.DisableTelemetryEvents(runtime.env));
  SN_ORT_TRY(table.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &runtime.cpu_memory));
  SN_ORT_TRY(table.GetAllocatorWithDefaultOptions(&runtime.allocator));
  return {};
}

}  // namespace

base::Result<const Runtime*> load_runtime() {
  std::lock_guard lock(load_mutex);
  if (loaded.allocator != nullptr) return &loaded;
  Runtime runtime;
  SN_ASSIGN(const Library library, open_library());
  runtime.path = library.path;
  SN_ASSIGN(runtime.api, get_api(library, runtime.version));
  loaded_api = runtime.api;
  SN_TRY(open_environment(runtime));
  loaded = std::move(runtime);
  return &loaded;
}

const OrtApi& api() { return *loaded_api; }

void add_log_host(const sn_host* host) {
  std::lock_guard lock(log_mutex);
  log_hosts.push_back(host);
}

void remove_log_host(const sn_host* host) {
  std::lock_guard lock(log_mutex);
  const auto found = std::find(log_hosts.begin(), log_hosts.end(), host);
  if (found != log_hosts.end()) log_hosts.erase(found);
}

void log(Level level, const std::string& line) {
  std::lock_guard lock(log_mutex);
  if (log_hosts.empty()) return;
  const sn_host& host = *log_hosts.back();
  if (host.log != nullptr) host.log(host.ctx, static_cast<int32_t>(level), line.c_str());
}

absl::StatusCode status_code(OrtErrorCode code) {
  switch (code) {
    case ORT_INVALID_ARGUMENT:
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH:
      return absl::StatusCode::kInvalidArgument;
    case ORT_NO_SUCHFILE:
    case ORT_NO_MODEL:
    case ORT_NOT_FOUND:
      return absl::StatusCode::kNotFound;
    case ORT_NOT_IMPLEMENTED:
      return absl::StatusCode::kUnimplemented;
    case ORT_MODEL_LOAD_CANCELED:
      return absl::StatusCode::kCancelled;
    case ORT_MODEL_REQUIRES_COMPILATION:
      return absl::StatusCode::kFailedPrecondition;
    case ORT_ENGINE_ERROR:
    case ORT_EP_FAIL:
      return absl::StatusCode::kUnknown;  // of a provider: it may be the model or the device
    case ORT_DEVICE_RESET:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kInternal;
  }
}

base::Status to_status(OrtStatus* status) {
  if (status == nullptr) return {};
  base::Status result(status_code(api().GetErrorCode(status)), api().GetErrorMessage(status));
  api().ReleaseStatus(status);
  return result;
}

}  // namespace supernova::engine::onnxruntime
