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

StatusCode code_of(std::string_view report, StatusCode from = StatusCode::kInternal) {
  return device_failure(kCuda, base::Status(from, std::string(report))).code();
}

// As the runtime writes it: the rest is about its own files.
std::string cuda(std::string_view failure) {
  return base::str_cat(
      "Non-zero status code returned while running MatMul node. Name:'fc' Status Message: CUDA "
      "failure ",
      failure, " ; GPU=1 ; hostname=h ; file=cuda_call.cc ; line=123 ; expr=cudaMalloc(&p, size);");
}

TEST(DeviceFailures, AreToldApartByTheirTexts) {
  const std::pair<std::string, StatusCode> table[] = {
      {cuda("2: out of memory"), StatusCode::kResourceExhausted},
      {"bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4294967296",
       StatusCode::kResourceExhausted},
      {"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", StatusCode::kResourceExhausted},
      {"CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED ; GPU=0", StatusCode::kResourceExhausted},
      {"CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", StatusCode::kResourceExhausted},
      {"Error Code 2: OutOfMemory (Requested size was 8 bytes.)", StatusCode::kResourceExhausted},
      {"vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY",
       StatusCode::kResourceExhausted},
      {"std::bad_alloc", StatusCode::kResourceExhausted},
      {cuda("46: CUDA-capable device(s) is/are busy or unavailable"), StatusCode::kUnavailable},
      {cuda("214: uncorrectable ECC error encountered"), StatusCode::kUnavailable},
      {cuda("700: an illegal memory access was encountered"), StatusCode::kUnavailable},
      {cuda("702: the launch timed out and was terminated"), StatusCode::kUnavailable},
      {cuda("719: unspecified launch failure"), StatusCode::kUnavailable},
      {cuda("999: unknown error"), StatusCode::kUnavailable},
      {"GPU device lost", StatusCode::kUnavailable},
      {"the device was lost", StatusCode::kUnavailable},
      {"vkQueueSubmit failed with VK_ERROR_DEVICE_LOST", StatusCode::kUnavailable},
      // Neither: another number that begins alike, an error of the model, of an argument.
      {cuda("460: made up"), StatusCode::kInternal},
      {cuda("7000: made up"), StatusCode::kInternal},
      {cuda("1: invalid argument"), StatusCode::kInternal},
      {"CUDNN failure 3000: CUDNN_STATUS_NOT_SUPPORTED ; GPU=0", StatusCode::kInternal},
      {"TensorRT EP execution context enqueue failed.", StatusCode::kInternal},
      {"CUDA failure", StatusCode::kInternal},
      {"", StatusCode::kInternal},
  };
  for (const auto& [report, code] : table) EXPECT_EQ(code_of(report), code) << report;
  EXPECT_EQ(code_of("gone", StatusCode::kUnavailable), StatusCode::kUnavailable);
  EXPECT_EQ(code_of("bad shape", StatusCode::kInvalidArgument), StatusCode::kInvalidArgument);
}

TEST(DeviceFailures, NameProviderDeviceAndRemedy) {
  const auto text = [](std::string_view report) {
    return std::string(device_failure(kCuda, absl::InternalError(std::string(report))).message());
  };
  EXPECT_THAT(text("Out Of Memory"),
              AllOf(StartsWith("CUDAExecutionProvider on nvidia:1 has no memory left"),
                    HasSubstr("Out Of Memory"), HasSubstr("device_memory_byte_size")));
  EXPECT_THAT(text("Device Lost"), AllOf(StartsWith("CUDAExecutionProvider on nvidia:1 failed"),
                                         HasSubstr("load the model again")));
  EXPECT_EQ(text("odd"), "CUDAExecutionProvider on nvidia:1: odd");
}

TEST(DeviceFailures, WhatWasRefusedForAReasonStaysAsItIs) {
  const base::Status refused = absl::FailedPreconditionError("out of memory, and it says so");
  EXPECT_EQ(device_failure(kCuda, refused), refused);
  EXPECT_TRUE(device_failure(kCuda, {}).ok());
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
