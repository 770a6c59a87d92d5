# cmake -DBUILD= -DWORK= -DEXAMPLE= -DCC= -DGENERATOR= [-DTOOLCHAIN=] -P build.cmake
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "failed with ${code}: ${ARGV}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix --component headers)

# One file, so that nothing of the tree can be found by accident.
file(COPY ${EXAMPLE}/do_nothing.c ${EXAMPLE}/CMakeLists.txt DESTINATION ${WORK}/source)
run(${CC} -std=c11 -Wall -Wextra -Werror -pedantic -shared -fPIC -I ${WORK}/prefix/include
    ${WORK}/source/do_nothing.c -o ${WORK}/plain.so)

set(toolchain "")
if(TOOLCHAIN)
  set(toolchain -DCMAKE_TOOLCHAIN_FILE=${TOOLCHAIN})
endif()
run(${CMAKE_COMMAND} -S ${WORK}/source -B ${WORK}/build -G ${GENERATOR} ${toolchain}
    -DCMAKE_C_COMPILER=${CC} -DCMAKE_PREFIX_PATH=${WORK}/prefix)
run(${CMAKE_COMMAND} --build ${WORK}/build)
