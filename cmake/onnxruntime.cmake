# ONNX Runtime: its C header, and the library that is loaded at run time (never linked; see
# src/engine/onnxruntime). ONNXRUNTIME_ROOT may name an official release instead of the pinned one.
set(ONNXRUNTIME_ROOT "${CMAKE_SOURCE_DIR}/deps/onnxruntime" CACHE PATH
    "Folder with include/onnxruntime_c_api.h and lib/[<arch>/]libonnxruntime.so[.1]")
find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h
  PATHS ${ONNXRUNTIME_ROOT}/include ${ONNXRUNTIME_ROOT}/include/onnxruntime
  NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
find_file(ONNXRUNTIME_LIBRARY NAMES libonnxruntime.so.1 libonnxruntime.so
  PATHS ${ONNXRUNTIME_ROOT}/lib/${CMAKE_SYSTEM_PROCESSOR} ${ONNXRUNTIME_ROOT}/lib
  NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
if(NOT ONNXRUNTIME_INCLUDE_DIR OR NOT ONNXRUNTIME_LIBRARY)
  message(FATAL_ERROR
    "ONNX Runtime was not found in ${ONNXRUNTIME_ROOT}. Run 'tools/install build' (make build does), "
    "or set -DONNXRUNTIME_ROOT= to an unpacked official release.")
endif()
# The runnable tree carries the library: build/<preset>/lib/libonnxruntime.so.1.
file(MAKE_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
file(COPY_FILE ${ONNXRUNTIME_LIBRARY} ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libonnxruntime.so.1 ONLY_IF_DIFFERENT)
