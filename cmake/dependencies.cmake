# Packages of the system (deps/debian.txt). gRPC, protobuf and Abseil go through pkg-config, so that the
# same lines serve cross-compiling.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++)
pkg_check_modules(PROTOBUF REQUIRED IMPORTED_TARGET protobuf)
pkg_check_modules(ABSL REQUIRED IMPORTED_TARGET absl_status absl_statusor absl_strings absl_any_invocable
                  absl_inlined_vector)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(FMT REQUIRED IMPORTED_TARGET fmt)
pkg_check_modules(SPDLOG REQUIRED IMPORTED_TARGET spdlog)
# Code generators run on the build machine, also when the target is another one.
find_program(SUPERNOVA_PROTOC protoc REQUIRED)
find_program(SUPERNOVA_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()
