# How a room of src/anneal becomes a library and its tests a program.
#
#   FILE.cpp         part of the room's library
#   FILE.kernel.cpp  compiled once for each instruction set (see anneal_kernel_isas)
#   FILE_test.cpp    part of the room's test program, test_ROOM
#   FILE_test.kernel.cpp  likewise, once for each instruction set
#   testing/FILE.cpp part of the room's test program as well: what tests share
#   FILE_fuzz.cpp    a libFuzzer target of its own, fuzz_FILE
#   main.cpp         the program
#
# Beside the rooms: tests/NAME/*.cpp becomes the test program test_cross_NAME, examples/NAME.cpp the
# program NAME, which is run as a test.

# g++ 12 also warns where a designated initialiser leaves members to their defaults, which is what
# designated initialisers are for.
set(ANNEAL_WARNINGS -Wall -Wextra -Wno-missing-field-initializers)
if(ANNEAL_WERROR)
  list(APPEND ANNEAL_WARNINGS -Werror)
endif()
if(ANNEAL_SANITIZE)
  # Line numbers are all the debug information that a report needs; libstdc++ checks its own
  # preconditions too.
  add_compile_options(-fsanitize=${ANNEAL_SANITIZE} -fno-omit-frame-pointer -g1)
  # GCC warns of uninitialised values that its own instrumentation makes it see.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized -Wno-dangling-pointer)
  endif()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${ANNEAL_SANITIZE})
  if(ANNEAL_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# Kernel sources are compiled once for each of these; the namespace of the same name holds the result
# and device/cpu/isa.hpp picks one at run time. They must not define inline functions outside that
# namespace: the linker could then pick the AVX-512 copy for everybody.
set(ANNEAL_KERNEL_ISAS portable avx2 avx512)
set(ANNEAL_ISA_FLAGS_portable "")
set(ANNEAL_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mtune=haswell)
set(ANNEAL_ISA_FLAGS_avx512
    -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mf16c -mtune=skylake-avx512
    -mprefer-vector-width=512)
# Sanitized and unoptimised builds are for checks, not for speed: there -O3 would take minutes.
set(ANNEAL_KERNEL_FLAGS -O3)
if(ANNEAL_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL Debug)
  set(ANNEAL_KERNEL_FLAGS -O1)
endif()
# Instrumenting their templates takes a minute a file: neither ASan, which sees no borders inside the
# arena that they work in, nor UBSan looks at the kernels of ops.
if(ANNEAL_SANITIZE MATCHES "address")
  set(ANNEAL_PLAIN_KERNELS anneal_ops)
endif()
list(APPEND ANNEAL_KERNEL_FLAGS -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd)
# Its numbers must not depend on whether a CPU fuses multiplications and additions.
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/src/anneal/device/cpu/random_normal.kernel.cpp PROPERTIES COMPILE_OPTIONS
                                                                                -ffp-contract=off)

function(anneal_room room)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/anneal/${room})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  set(tests ${sources})
  set(fuzzers ${sources})
  set(kernels ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.cpp$")
  list(FILTER kernels INCLUDE REGEX "\\.kernel\\.cpp$")
  set(test_kernels ${kernels})
  list(FILTER test_kernels INCLUDE REGEX "_test\\.kernel\\.cpp$")
  list(FILTER kernels EXCLUDE REGEX "_test\\.kernel\\.cpp$")
  set(testing ${sources})
  list(FILTER testing INCLUDE REGEX "/testing/[^/]*\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|\\.kernel|/main|/testing/[^/]*)\\.cpp$")

  anneal_kernels(anneal_${room} kernel_objects ${kernels})

  if(sources OR kernel_objects)
    add_library(anneal_${room} STATIC ${sources} ${kernel_objects})
    target_include_directories(anneal_${room} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_compile_options(anneal_${room} PRIVATE ${ANNEAL_WARNINGS})
    target_link_libraries(anneal_${room} PUBLIC ${ARG_LINK})
  else()
    add_library(anneal_${room} INTERFACE)
    target_include_directories(anneal_${room} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(anneal_${room} INTERFACE ${ARG_LINK})
  endif()

  if(ANNEAL_TESTS AND tests)
    anneal_kernels(test_${room} test_kernel_objects ${test_kernels})
    anneal_test_program(test_${room} anneal_${room} ${tests} ${testing} ${test_kernel_objects})
  endif()
  if(ANNEAL_FUZZERS)
    foreach(source ${fuzzers})
      get_filename_component(name ${source} NAME_WE)
      add_executable(${name} ${source})
      target_compile_options(${name} PRIVATE ${ANNEAL_WARNINGS})
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${name} PRIVATE anneal_${room})
    endforeach()
  endif()
endfunction()

# Compiles the kernel sources once for each instruction set, into libraries NAME_ISA of objects, and
# sets `result` to those objects.
function(anneal_kernels name result)
  set(kernel_objects)
  if(ARGN)
    foreach(isa ${ANNEAL_KERNEL_ISAS})
      set(objects ${name}_${isa})
      add_library(${objects} OBJECT ${ARGN})
      target_include_directories(${objects} PRIVATE ${CMAKE_SOURCE_DIR}/src)
      target_compile_definitions(${objects} PRIVATE ANNEAL_ISA=${isa} ANNEAL_ISA_${isa}=1)
      target_compile_options(
        ${objects} PRIVATE ${ANNEAL_WARNINGS} ${ANNEAL_KERNEL_FLAGS} ${ANNEAL_ISA_FLAGS_${isa}}
                           ${OpenMP_CXX_FLAGS})
      if(name IN_LIST ANNEAL_PLAIN_KERNELS)
        target_compile_options(${objects} PRIVATE -fno-sanitize=all)
      endif()
      list(APPEND kernel_objects $<TARGET_OBJECTS:${objects}>)
    endforeach()
  endif()
  set(${result} ${kernel_objects} PARENT_SCOPE)
endfunction()

function(anneal_test_program name library)
  add_executable(${name} ${ARGN})
  # Tests run for a moment and are compiled often.
  target_compile_options(${name} PRIVATE ${ANNEAL_WARNINGS} $<$<CONFIG:Release>:-O1>)
  target_compile_definitions(
    ${name} PRIVATE ANNEAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                    ANNEAL_PROGRAM="$<TARGET_FILE_DIR:${name}>/anneal")
  target_link_libraries(${name} PRIVATE ${library} GTest::gtest GTest::gtest_main)
  # Threads that wait give way to others, so that tests do not crawl where the cores are shared.
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()

function(anneal_program)
  if(EXISTS ${CMAKE_SOURCE_DIR}/src/anneal/cli/main.cpp)
    add_executable(anneal ${CMAKE_SOURCE_DIR}/src/anneal/cli/main.cpp)
    target_compile_options(anneal PRIVATE ${ANNEAL_WARNINGS})
    target_link_libraries(anneal PRIVATE anneal_cli)
  endif()
endfunction()

# tests/ROOM/*_test.cpp: tests that cross rooms, linked with everything; test_cross_ROOM.
# tests/ROOM/tools/NAME.cpp: the program NAME, for checks that are run by hand.
function(anneal_tests)
  if(NOT ANNEAL_TESTS)
    return()
  endif()
  file(GLOB folders LIST_DIRECTORIES true CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*)
  foreach(folder ${folders})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    if(sources)
      get_filename_component(name ${folder} NAME)
      anneal_test_program(test_cross_${name} anneal_cli ${sources})
      target_include_directories(test_cross_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
      target_link_libraries(test_cross_${name} PRIVATE nlohmann_json::nlohmann_json)
      if(TARGET anneal)
        add_dependencies(test_cross_${name} anneal)
      endif()
    endif()
    file(GLOB tools CONFIGURE_DEPENDS ${folder}/tools/*.cpp)
    foreach(source ${tools})
      get_filename_component(name ${source} NAME_WE)
      add_executable(${name} ${source})
      target_compile_options(${name} PRIVATE ${ANNEAL_WARNINGS})
      target_link_libraries(${name} PRIVATE anneal_train)
    endforeach()
  endforeach()
endfunction()

# examples/NAME.cpp: programs that use the library as others would. Each says by its exit code
# whether it worked.
function(anneal_examples)
  if(NOT ANNEAL_EXAMPLES)
    return()
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.cpp)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_compile_definitions(${name} PRIVATE ANNEAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_compile_options(${name} PRIVATE ${ANNEAL_WARNINGS})
    target_link_libraries(${name} PRIVATE anneal_train)
    if(ANNEAL_TESTS)
      add_test(NAME Example.${name} COMMAND ${name})
      set_tests_properties(Example.${name} PROPERTIES
                           TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive)
    endif()
  endforeach()
endfunction()
