#include "engine/onnxruntime/providers/failures.h"

#include <absl/strings/ascii.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <span>

namespace supernova::engine::onnxruntime {
namespace {

constexpr std::string_view kCudaFailure = "CUDA failure ";

// N of "CUDA failure N: ...", a cudaError_t; 0 = the report has none.
int cuda_failure(std::string_view report) {
  const size_t at = report.find(kCudaFailure);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = report.substr(at + kCudaFailure.size());
  int number = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), number);
  return number;
}

bool is_one_of(int number, std::initializer_list<int> numbers) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

// The driver is not there, or older than the libraries want.
bool is_of_driver(int cuda) {
  return is_one_of(cuda, {35,     // older than the libraries
                          100,    // no device
                          803});  // other than the kernel's part
}

// After these nothing runs on the device any more, in this process at least. Other numbers say
// nothing of the kind: most are about the call.
bool is_loss(int cuda) {
  return is_one_of(cuda, {46,        // the device is busy or unavailable
                          100, 101,  // there is none any more, not of that number
                          214, 220,  // uncorrectable errors of its memory, of NVLink
                          700,       // illegal address
                          702,       // a kernel ran for too long
                          709,       // the context is gone
                          710,       // an assertion in a kernel
                          714, 715, 716, 717, 718, 719,  // faults of a kernel
                          805, 806, 807, 810,            // the server that shares the device
                          911,                           // a device beside CUDA
                          999});                         // unknown
}

// The same in the words of CUDA's, HIP's and Level Zero's own names and texts, which plug-ins and
// TensorRT hand on without a number; of Vulkan; of WebGPU.
constexpr std::string_view kWordsOfLoss[] = {
    "device lost",
    "device was lost",
    "device is lost",
    "gpu is lost",
    "device_lost",
    "devicelost",
    "] is lost",
    "device has been lost",
    "device unavailable",
    "devicesunavailable",
    "illegal memory access",
    "illegaladdress",
    "illegal_address",
    "illegal instruction",
    "misaligned address",
    "unspecified launch failure",
    "errorlaunchfailure",
    "error_launch_failed",
    "launch timed out",
    "uncorrectable ecc",
    "eccuncorrectable",
    "ecc_uncorrectable",
    "uncorrectable nvlink",
    "contextisdestroyed",
    "context_is_destroyed",
    "context is destroyed",
    "hardwarestackerror",
    "device-side assert",
    "mps client has been terminated",
};

constexpr std::string_view kWordsOfNoMemory[] = {"out of memory",
                                                 "outofmemory",
                                                 "out_of_device_memory",
                                                 "out_of_host_memory",
                                                 "failed to allocate memory",
                                                 "status_alloc_failed",
                                                 "allocation_failed",
                                                 "bad_alloc"};

// `words` in small letters.
bool says(const base::Status& status, std::span<const std::string_view> words) {
  std::string text(base::message(status));
  absl::AsciiStrToLower(&text);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

}  // namespace

Failure failure_of(const base::Status& status) {
  const int cuda = cuda_failure(base::message(status));
  if (status.ok() || absl::IsFailedPrecondition(status) || absl::IsCancelled(status)) {
    return Failure::kNotOfDevice;
  }
  if (cuda == 2 || says(status, kWordsOfNoMemory)) return Failure::kOutOfMemory;
  if (absl::IsUnavailable(status) || is_loss(cuda) || says(status, kWordsOfLoss)) {
    return Failure::kLost;
  }
  return absl::IsInternal(status) || absl::IsUnknown(status) ? Failure::kUnclear
                                                             : Failure::kNotOfDevice;
}

base::Status providers_own(const base::Status& status) {
  // "FILE:LINE FUNCTION Error creating execution provider: [ONNXRuntimeError] : CODE : NAME : TEXT"
  constexpr std::string_view kWrapping = "Error creating execution provider: ";
  constexpr std::string_view kCode = "[ONNXRuntimeError] : ";
  std::string_view text = base::message(status);
  const size_t at = text.find(kWrapping);
  if (at == std::string_view::npos) return status;
  text.remove_prefix(at + kWrapping.size());
  absl::StatusCode code = status.code();
  if (text.starts_with(kCode)) {
    int number = 0;
    text.remove_prefix(kCode.size());
    std::from_chars(text.data(), text.data() + text.size(), number);
    code = status_code(static_cast<OrtErrorCode>(number));
    for (int i = 0; i < 2; ++i) {
      const size_t end = text.find(" : ");
      text.remove_prefix(end == std::string_view::npos ? 0 : end + 3);
    }
  }
  return {code, std::string(text.substr(0, text.find_last_not_of(" \n") + 1))};
}

base::Status device_failure(const Provider& provider, const base::Status& status, Failure failure) {
  // What was refused for a reason names everything already.
  if (status.ok() || absl::IsFailedPrecondition(status)) return status;
  const std::string where = base::str_cat(provider.name, " on ", provider.device);
  if (failure == Failure::kOutOfMemory) {
    return absl::ResourceExhaustedError(base::str_cat(
        where, " has no memory left for this: ", status.message(),
        ". Send smaller batches, run fewer models on the device, or give the model more (",
        kDeviceMemory, ")"));
  }
  if (failure == Failure::kLost) {
    return absl::UnavailableError(base::str_cat(
        where, " failed: ", status.message(),
        ". The device may be lost to this process. A worker (isolation) is replaced by itself; in "
        "the server, load the model again, and where that does not help, restart the server"));
  }
  if (absl::IsUnknown(status)) {
    return absl::InternalError(base::str_cat(where, ": ", status.message()));
  }
  return base::annotate(status, where);
}

std::string plain_report(std::string_view report) {
  constexpr std::string_view kNoAdapter = "Failed to get a WebGPU adapter";
  if (const size_t at = report.find(kNoAdapter); at != std::string_view::npos) {
    std::string_view said = report.substr(at);
    said = said.substr(0, said.find_last_not_of(" .\n") + 1);
    return base::str_cat(
        said,
        ". No Vulkan driver here is one it takes: install the GPU vendor's current "
        "one, or Mesa 25 or later (Debian 12: mesa-vulkan-drivers from "
        "bookworm-backports); VK_DRIVER_FILES chooses among several");
  }
  const size_t at = report.find(kCudaFailure);
  if (at == std::string_view::npos) return std::string(report);
  const std::string_view failure = report.substr(at, report.find(" ;", at) - at);
  return base::str_cat(failure, is_of_driver(cuda_failure(report))
                                    ? ". Install NVIDIA's driver, 580 or later for CUDA 13, and "
                                      "see that nvidia-smi lists the device"
                                    : "");
}

}  // namespace supernova::engine::onnxruntime
