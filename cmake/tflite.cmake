# TensorFlow Lite's C library, where tools/engines has installed it: loaded at run time, never linked (see
# src/engine/tflite). The runnable tree carries it: build/<preset>/lib/libtensorflowlite_c.so.
set(tflite_library "${CMAKE_SOURCE_DIR}/deps/tflite/lib/${CMAKE_SYSTEM_PROCESSOR}/libtensorflowlite_c.so")
if(EXISTS ${tflite_library})
  file(COPY_FILE ${tflite_library} ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libtensorflowlite_c.so ONLY_IF_DIFFERENT)
endif()
