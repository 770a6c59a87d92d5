# Cross-compiles for 64-bit ARM from an amd64 Debian with the packages of deps/debian.txt [arm64].
# Debian keeps both architectures in one tree, so there is no sysroot: the cross compiler and pkg-config
# are pointed at the arm64 folders, and programs (protoc, grpc_cpp_plugin) are the build machine's own.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# Never a library or package description of the build machine's architecture.
set(CMAKE_IGNORE_PREFIX_PATH /usr/local)
set(CMAKE_SYSTEM_IGNORE_PATH /usr/lib/x86_64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# simdjson.pc is ours: Debian's own cannot be installed for two architectures.
set(ENV{PKG_CONFIG_LIBDIR}
    "${CMAKE_CURRENT_LIST_DIR}/arm64-pkgconfig:/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig")
set(ENV{PKG_CONFIG_PATH} "")

# Optional. -L / because both architectures share the tree; with /usr/aarch64-linux-gnu threads hang.
find_program(SUPERNOVA_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
if(SUPERNOVA_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${SUPERNOVA_QEMU};-L;/")
endif()

# Debian's cross compiler does not find lld: link with its own GNU ld.
set(SUPERNOVA_LLD "" CACHE FILEPATH "lld is not used for this target" FORCE)
