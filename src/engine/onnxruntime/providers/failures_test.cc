#include "engine/onnxruntime/providers/failures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace supernova::engine::onnxruntime {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Provider kCuda{ProviderKind::kCuda, "CUDAExecutionProvider", nullptr, "nvidia:1"};

Failure meaning_of(std::string_view report, StatusCode from = StatusCode::kInternal) {
  return failure_of(base::Status(from, std::string(report)));
}

// As a session tells it that has not tried the device.
base::Status told(std::string_view report, StatusCode from = StatusCode::kInternal) {
  const base::Status status(from, std::string(report));
  return device_failure(kCuda, status, failure_of(status));
}

// As the runtime writes it: the rest is about its own files.
std::string cuda(std::string_view failure) {
  return base::str_cat(
      "Non-zero status code returned while running MatMul node. Name:'fc' Status Message: CUDA "
      "failure ",
      failure, " ; GPU=1 ; hostname=h ; file=cuda_call.cc ; line=123 ; expr=cudaMalloc(&p, size);");
}

TEST(DeviceFailures, AreToldApartByTheirTexts) {
  constexpr auto kNone = Failure::kOutOfMemory;
  constexpr auto kLost = Failure::kLost;
  constexpr auto kUnclear = Failure::kUnclear;
  const std::pair<std::string, Failure> table[] = {
      {cuda("2: out of memory"), kNone},
      {"bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4294967296", kNone},
      {"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", kNone},
      {"CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", kNone},
      {"CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", kNone},
      {"Error Code 2: OutOfMemory (Requested size was 8 bytes.)", kNone},
      {"vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY", kNone},
      {"std::bad_alloc", kNone},
      {cuda("46: CUDA-capable device(s) is/are busy or unavailable"), kLost},
      {cuda("100: no CUDA-capable device is detected"), kLost},
      {cuda("214: uncorrectable ECC error encountered"), kLost},
      {cuda("700: an illegal memory access was encountered"), kLost},
      {cuda("702: the launch timed out and was terminated"), kLost},
      {cuda("719: unspecified launch failure"), kLost},
      {cuda("810: the MPS client has been terminated"), kLost},
      {cuda("999: unknown error"), kLost},
      // Without the number, as TensorRT and plug-ins have it.
      {"Error Code 1: Cuda Runtime (an illegal memory access was encountered)", kLost},
      {"cudaErrorIllegalAddress", kLost},
      {"hipErrorIllegalAddress: an illegal memory access was encountered", kLost},
      {"CUDA_ERROR_LAUNCH_FAILED", kLost},
      {"hipErrorLaunchFailure", kLost},
      {"ZE_RESULT_ERROR_DEVICE_LOST", kLost},
      {"Unable to determine the device handle: GPU is lost", kLost},
      {"GPU device lost", kLost},
      {"the device was lost", kLost},
      {"WebGPU device lost (1): hung", kLost},
      {"[Device \"ort\"] is lost.", kLost},
      {"vkQueueSubmit failed with VK_ERROR_DEVICE_LOST", kLost},
      // Either: numbers that begin alike, errors of an argument, of a library on top, of a provider
      // that does not say more.
      {cuda("460: made up"), kUnclear},
      {cuda("7000: made up"), kUnclear},
      {cuda("1: invalid argument"), kUnclear},
      {cuda("9: invalid configuration argument"), kUnclear},
      {cuda("209: no kernel image is available for execution on the device"), kUnclear},
      {cuda("701: too many resources requested for launch"), kUnclear},
      {cuda("801: operation not supported"), kUnclear},
      {"CUDNN failure 3000: CUDNN_STATUS_NOT_SUPPORTED ; GPU=0", kUnclear},
      {"CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0", kUnclear},
      {"CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED ; GPU=0", kUnclear},
      {"CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0", kUnclear},
      {"TensorRT EP execution context enqueue failed.", kUnclear},
      {"TensorRT EP failed to create engine from network.", kUnclear},
      {"Failed to download data from buffer. wgpu::MapAsyncStatus value: 3", kUnclear},
      {"CUDA failure", kUnclear},
      {"", kUnclear},
  };
  for (const auto& [report, failure] : table) {
    EXPECT_EQ(meaning_of(report), failure) << report;
    EXPECT_EQ(meaning_of(report, StatusCode::kUnknown), failure) << report;
  }
}

TEST(DeviceFailures, WhatHasACodeOfItsOwnIsNoneOfTheDevice) {
  EXPECT_EQ(meaning_of("gone", StatusCode::kUnavailable), Failure::kLost);
  EXPECT_EQ(meaning_of("bad shape", StatusCode::kInvalidArgument), Failure::kNotOfDevice);
  EXPECT_EQ(meaning_of("no kernel", StatusCode::kUnimplemented), Failure::kNotOfDevice);
  EXPECT_EQ(meaning_of("stopped", StatusCode::kCancelled), Failure::kNotOfDevice);
  EXPECT_EQ(meaning_of("no driver", StatusCode::kFailedPrecondition), Failure::kNotOfDevice);
  EXPECT_EQ(meaning_of("", StatusCode::kOk), Failure::kNotOfDevice);
}

TEST(DeviceFailures, AreToldWithTheCodeOfTheirMeaning) {
  EXPECT_EQ(told("out of memory").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(told("device lost").code(), StatusCode::kUnavailable);
  EXPECT_EQ(told("odd", StatusCode::kUnknown).code(), StatusCode::kInternal);
  EXPECT_EQ(told("bad shape", StatusCode::kInvalidArgument).code(), StatusCode::kInvalidArgument);
}

TEST(DeviceFailures, NameProviderDeviceAndRemedy) {
  const auto text = [](std::string_view report) { return std::string(told(report).message()); };
  EXPECT_THAT(text("Out Of Memory"),
              AllOf(StartsWith("CUDAExecutionProvider on nvidia:1 has no memory left"),
                    HasSubstr("Out Of Memory"), HasSubstr("device_memory_byte_size")));
  EXPECT_THAT(text("Device Lost"), AllOf(StartsWith("CUDAExecutionProvider on nvidia:1 failed"),
                                         HasSubstr("load the model again")));
  EXPECT_EQ(text("odd"), "CUDAExecutionProvider on nvidia:1: odd");
  EXPECT_EQ(told("odd", StatusCode::kUnknown).message(), "CUDAExecutionProvider on nvidia:1: odd");
}

TEST(DeviceFailures, WhatWasRefusedForAReasonStaysAsItIs) {
  const base::Status refused = absl::FailedPreconditionError("out of memory, and it says so");
  EXPECT_EQ(device_failure(kCuda, refused, failure_of(refused)), refused);
  EXPECT_TRUE(device_failure(kCuda, {}, Failure::kNotOfDevice).ok());
}

TEST(DeviceFailures, WhatAProviderRefusesKeepsItsCode) {
  const auto own = [](std::string_view report) {
    return providers_own(absl::InternalError(
        base::str_cat("/src/ep.cc:70 virtual Provider make(const Options&) ", report)));
  };
  EXPECT_EQ(own("Error creating execution provider: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : "
                "there is no option 'a : b'\n"),
            absl::InvalidArgumentError("there is no option 'a : b'"));
  EXPECT_EQ(own("Error creating execution provider: [ONNXRuntimeError] : 11 : EP_FAIL : odd"),
            absl::UnknownError("odd"));
  EXPECT_EQ(own("Error creating execution provider: odd\n"), absl::InternalError("odd"));
  EXPECT_EQ(own("Error creating execution provider: "), absl::InternalError(""));
  EXPECT_EQ(own("Error creating execution provider: [ONNXRuntimeError] : x").code(),
            StatusCode::kInternal);
  const base::Status other = absl::InternalError("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : x");
  EXPECT_EQ(providers_own(other), other);
}

TEST(DeviceFailures, AReportIsMadePlain) {
  for (const char* failure : {"35: CUDA driver version is insufficient for CUDA runtime version",
                              "100: no CUDA-capable device is detected",
                              "803: system has unsupported display driver / cuda driver "
                              "combination"}) {
    EXPECT_EQ(plain_report(cuda(failure)),
              base::str_cat("CUDA failure ", failure,
                            ". Install NVIDIA's driver, 580 or later for CUDA 13, and see that "
                            "nvidia-smi lists the device"));
  }
  EXPECT_EQ(plain_report(cuda("2: out of memory")), "CUDA failure 2: out of memory");
  EXPECT_EQ(plain_report("CUDA failure 1001: made up"), "CUDA failure 1001: made up");
  EXPECT_EQ(plain_report("unknown option"), "unknown option");
  EXPECT_THAT(plain_report("Failed to get a WebGPU adapter: No supported adapters .\n"),
              HasSubstr("adapter: No supported adapters. No Vulkan driver"));
  EXPECT_THAT(plain_report("webgpu_context.cc:70 Failed to get a WebGPU adapter: none"),
              AllOf(StartsWith("Failed to get a WebGPU adapter: none"), HasSubstr("Mesa 25"),
                    Not(HasSubstr(".cc"))));
}

}  // namespace
}  // namespace supernova::engine::onnxruntime
