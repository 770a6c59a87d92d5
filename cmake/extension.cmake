# Extensions: one folder each, discovered, never listed. A folder's CMakeLists.txt calls
#   supernova_extension(<kind> <name> SOURCES … [LIBRARIES …] [REQUIRES <what is missing, or empty>])
# and the folder above calls supernova_extensions(<kind> …), which generates the registration list.

# A library of the house: target supernova_<name>, folder = include path.
function(supernova_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES;TESTS" ${ARGN})
  set(scope PUBLIC)
  if(ARG_SOURCES)
    add_library(supernova_${name} STATIC ${ARG_SOURCES})
  else()
    set(scope INTERFACE)
    add_library(supernova_${name} INTERFACE)
  endif()
  target_include_directories(supernova_${name} ${scope} ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(supernova_${name} ${scope} ${ARG_LIBRARIES})
  if(ARG_TESTS)
    supernova_test(${name}_test SOURCES ${ARG_TESTS} LIBRARIES supernova_${name})
  endif()
endfunction()

# A GoogleTest program, run by ctest as one test with the label "unit" (or LABEL).
function(supernova_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBRARIES;ENVIRONMENT" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT
    "SUPERNOVA_BINARY=${CMAKE_BINARY_DIR}/bin/supernova;SUPERNOVA_SOURCE_DIR=${CMAKE_SOURCE_DIR};SUPERNOVA_BUILD_DIR=${CMAKE_BINARY_DIR};SUPERNOVA_CACHE_DIR=${CMAKE_BINARY_DIR}/test-cache;${ARG_ENVIRONMENT}")
endfunction()

# An extension folder. With a non-empty REQUIRES the folder skips itself with that one line. With MODULE it
# is no part of the program but a library that is loaded when it is asked for,
# lib/supernova/<MODULE>/<name>.so, and its TESTS load it too. It can't lean on libraries of the house:
# they may be made of archives (static_libraries.cmake) that fit programs only.
function(supernova_extension kind name)
  cmake_parse_arguments(ARG "" "REQUIRES;MODULE" "SOURCES;LIBRARIES;TESTS;TEST_LIBRARIES" ${ARGN})
  if(ARG_REQUIRES)
    message(STATUS "${kind} ${name} is left out: ${ARG_REQUIRES}")
    return()
  endif()
  if(ARG_MODULE)
    add_library(supernova_${kind}_${name} MODULE ${ARG_SOURCES})
    target_include_directories(supernova_${kind}_${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(supernova_${kind}_${name} PRIVATE ${ARG_LIBRARIES})
    target_link_options(supernova_${kind}_${name} PRIVATE -Wl,-z,defs)
    set_target_properties(supernova_${kind}_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/supernova/${ARG_MODULE})
    install(TARGETS supernova_${kind}_${name} LIBRARY DESTINATION lib/supernova/${ARG_MODULE})
    set_property(GLOBAL APPEND PROPERTY SUPERNOVA_MODULES supernova_${kind}_${name})
    if(ARG_TESTS AND BUILD_TESTING)
      supernova_test(${kind}_${name}_test SOURCES ${ARG_TESTS} LIBRARIES ${ARG_TEST_LIBRARIES})
      add_dependencies(${kind}_${name}_test supernova_${kind}_${name})
    endif()
    return()
  endif()
  supernova_library(${kind}_${name} SOURCES ${ARG_SOURCES} LIBRARIES ${ARG_LIBRARIES} TESTS ${ARG_TESTS})
  set_property(GLOBAL APPEND PROPERTY SUPERNOVA_EXTENSIONS_${kind} ${name})
endfunction()

# Adds every subfolder that is an extension.
function(supernova_add_extensions)
  file(GLOB folders CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(folder ${folders})
    get_filename_component(folder ${folder} DIRECTORY)
    add_subdirectory(${folder})
  endforeach()
endfunction()

# Adds every subfolder that is an extension, then generates build/<preset>/generated/<kind>_extensions.cc from
# the templates: DECLARE (in the extension's namespace) and CALL, without their last semicolons, are
# repeated with @NAME@ replaced. Makes supernova_<kind>_extensions.
function(supernova_extensions kind)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "HEADER;NAMESPACE;FUNCTION;DECLARE;CALL" "LIBRARIES")
  supernova_add_extensions()
  get_property(names GLOBAL PROPERTY SUPERNOVA_EXTENSIONS_${kind})
  set(declares "")
  set(calls "")
  set(libraries "")
  foreach(name ${names})
    string(REPLACE "@NAME@" ${name} declare "${ARG_DECLARE}")
    string(REPLACE "@NAME@" ${name} call "${ARG_CALL}")
    string(APPEND declares "namespace ${ARG_NAMESPACE}::${name} {\n${declare};\n}\n")
    string(APPEND calls "  ${call};\n")
    list(APPEND libraries supernova_${kind}_${name})
  endforeach()
  set(file ${CMAKE_BINARY_DIR}/generated/${kind}_extensions.cc)
  file(CONFIGURE OUTPUT ${file} CONTENT
"// Generated from the extension folders; not kept.
#include \"${ARG_HEADER}\"

${declares}
namespace ${ARG_NAMESPACE} {
void ${ARG_FUNCTION} {
${calls}}
}  // namespace ${ARG_NAMESPACE}
" @ONLY)
  supernova_library(${kind}_extensions SOURCES ${file} LIBRARIES ${ARG_LIBRARIES} ${libraries})
endfunction()

# The operator families of an importer: every ops/*.cc of the folder defines
# `void register_<file>(OpTable& table)` in supernova::import::<name>; the list that calls them all is
# generated. Sets <out> to the sources, the generated one among them.
function(supernova_import_ops name out)
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/ops/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  set(declares "")
  set(calls "")
  foreach(source ${sources})
    get_filename_component(family ${source} NAME_WE)
    string(APPEND declares "void register_${family}(OpTable& table);\n")
    string(APPEND calls "  register_${family}(table);\n")
  endforeach()
  set(file ${CMAKE_BINARY_DIR}/generated/${name}_ops.cc)
  file(CONFIGURE OUTPUT ${file} CONTENT
"// Generated from the files in ops/; not kept.
#include \"import/${name}/ops.h\"

namespace supernova::import::${name} {
${declares}
void register_ops(OpTable& table) {
${calls}}
}  // namespace supernova::import::${name}
" @ONLY)
  set(${out} ${sources} ${file} PARENT_SCOPE)
endfunction()
