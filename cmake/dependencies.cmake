# Packages of the system (deps/debian.txt); the same lines serve cross-compiling.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
# gRPC and Abseil by their CMake descriptions: pkg-config takes 20 s to walk Abseil's.
find_package(gRPC CONFIG REQUIRED)
add_library(supernova_absl INTERFACE)
target_link_libraries(supernova_absl INTERFACE absl::status absl::statusor absl::strings absl::any_invocable
                      absl::inlined_vector)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(FMT REQUIRED IMPORTED_TARGET fmt)
pkg_check_modules(SPDLOG REQUIRED IMPORTED_TARGET spdlog)
# Code generators run on the build machine, also when the target is another one.
find_program(SUPERNOVA_PROTOC protoc REQUIRED)
find_program(SUPERNOVA_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()
