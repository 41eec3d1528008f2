# SPDX-License-Identifier: Apache-2.0
#
# Picks a C++20 compiler before project() does. CMake alone takes the first `c++` it meets, however old, and what a
# too old one then says about concepts and <span> helps nobody; a machine may well have a newer one beside it.

set(PLAIT_GCC_MIN 12)
set(PLAIT_CLANG_MIN 14)
set(PLAIT_COMPILER_REMEDY
  "  Plait needs g++ ${PLAIT_GCC_MIN} or newer, or clang++ ${PLAIT_CLANG_MIN} or newer:\n"
  "    Debian, Ubuntu   apt-get install g++      (or clang)\n"
  "    Fedora           dnf install gcc-c++      (or clang)\n"
  "    Alpine           apk add g++\n"
  "  A compiler that is not found by itself is named with CXX=/path/to/g++ in the environment.")
list(JOIN PLAIT_COMPILER_REMEDY "" PLAIT_COMPILER_REMEDY)

# Family ("gcc", "clang" or "unknown") and major version of the compiler at `path`.
function(plait_identify_compiler path family_out version_out)
  set(macros "")
  execute_process(COMMAND "${path}" -dM -E -x c++ /dev/null
    OUTPUT_VARIABLE macros ERROR_QUIET RESULT_VARIABLE status)
  set(family "unknown")
  set(version 0)
  if(status EQUAL 0)
    if(macros MATCHES "#define __clang_major__ ([0-9]+)")
      set(family "clang")
      set(version ${CMAKE_MATCH_1})
    elseif(macros MATCHES "#define __GNUC__ ([0-9]+)")
      set(family "gcc")
      set(version ${CMAKE_MATCH_1})
    endif()
  endif()
  set(${family_out} "${family}" PARENT_SCOPE)
  set(${version_out} "${version}" PARENT_SCOPE)
endfunction()

function(plait_compiler_is_good family version out)
  if((family STREQUAL "gcc" AND NOT version LESS PLAIT_GCC_MIN) OR
     (family STREQUAL "clang" AND NOT version LESS PLAIT_CLANG_MIN))
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

# Sets CMAKE_CXX_COMPILER unless somebody named one, or a toolchain file will. Stops with the remedy when nothing fits.
macro(plait_choose_compiler)
  if(NOT CMAKE_CXX_COMPILER AND NOT CMAKE_TOOLCHAIN_FILE AND NOT DEFINED ENV{CMAKE_TOOLCHAIN_FILE} AND
     NOT DEFINED ENV{CXX})
    set(_seen "")
    foreach(_name c++ g++ clang++ g++-16 g++-15 g++-14 g++-13 g++-12
                  clang++-22 clang++-21 clang++-20 clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14)
      find_program(_path NAMES ${_name} NO_CACHE)
      if(_path)
        plait_identify_compiler("${_path}" _family _version)
        plait_compiler_is_good("${_family}" "${_version}" _good)
        if(_good)
          set(CMAKE_CXX_COMPILER "${_path}" CACHE FILEPATH "C++ compiler")
          break()
        endif()
        string(APPEND _seen "    ${_path} (${_family} ${_version})\n")
      endif()
      unset(_path)
    endforeach()
    if(NOT CMAKE_CXX_COMPILER)
      if(_seen)
        message(FATAL_ERROR "no C++20 compiler found; these are too old:\n${_seen}${PLAIT_COMPILER_REMEDY}")
      endif()
      message(FATAL_ERROR "no C++ compiler found\n${PLAIT_COMPILER_REMEDY}")
    endif()
    unset(_path)
  endif()
endmacro()

# After project(): the compiler that will be used, whoever chose it.
function(plait_check_compiler)
  plait_identify_compiler("${CMAKE_CXX_COMPILER}" family version)
  plait_compiler_is_good("${family}" "${version}" good)
  if(NOT good)
    message(FATAL_ERROR
      "the C++ compiler is too old or not known: ${CMAKE_CXX_COMPILER} (${family} ${version})\n"
      "${PLAIT_COMPILER_REMEDY}")
  endif()
endfunction()
