# Build type, warnings, sanitizers, compiler cache, linker.
option(SUPERNOVA_WERROR "Warnings are errors" OFF)
option(SUPERNOVA_BENCH "Build the benchmarks" ON)
set(SUPERNOVA_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")

option(SUPERNOVA_FUZZ "Build libFuzzer programs (needs Clang)" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(SUPERNOVA_CCACHE ccache)
if(SUPERNOVA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths inside the tree count relative to it, so that a clone in another folder finds what this one
  # has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${SUPERNOVA_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

find_program(SUPERNOVA_LLD NAMES ld.lld)
if(SUPERNOVA_LLD)
  add_link_options(-fuse-ld=lld)
endif()
add_link_options(-Wl,--gc-sections -Wl,--as-needed)
add_compile_options(-ffunction-sections -fdata-sections -fno-plt)

# GCC 12 sees overlaps in std::string concatenation that are not there (-Wrestrict), and in
# absl::InlinedVector inside a StatusOr uninitialised memory that is never read..
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized)
endif()
if(SUPERNOVA_FUZZ)
  # What the fuzzers call counts its branches, too.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(SUPERNOVA_WERROR)
  add_compile_options(-Werror)
endif()

if(SUPERNOVA_SANITIZE)
  add_compile_options(-fsanitize=${SUPERNOVA_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${SUPERNOVA_SANITIZE})
  # Asio's fences: the sanitizer does not see them, and they only add to what its locks order already.
  if(SUPERNOVA_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
  if(SUPERNOVA_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(SUPERNOVA_SANITIZE MATCHES "thread")
    # protobuf's headers change the layout of map fields where this is defined, and Debian's library
    # was built without it. libstdc++ must go on knowing.
    add_compile_options(-U__SANITIZE_THREAD__ -D_GLIBCXX_TSAN=1)
  endif()
endif()
