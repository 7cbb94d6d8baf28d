# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DROOT=<checkout> -P check_sources.cmake
#
# Fails when a source file is not listed in the CMakeLists.txt that should build it, or when a source of the library is
# missing in <serin/src.hpp>.

cmake_minimum_required(VERSION 3.25)

set(failures "")

# expect_listed(<list file> <folder that its entries are relative to> <pattern>...)
function(expect_listed list_file base)
    file(READ ${ROOT}/${list_file} text)
    list(TRANSFORM ARGN PREPEND ${ROOT}/)
    file(GLOB_RECURSE files RELATIVE ${ROOT}/${base} ${ARGN})
    # Only the header that includes all sources belongs to no target.
    list(REMOVE_ITEM files include/serin/src.hpp)
    foreach(file IN LISTS files)
        string(FIND "${text}" "${file}" place)
        if(place EQUAL -1)
            list(APPEND failures "${base}/${file} is not listed in ${list_file}")
        endif()
    endforeach()
    set(failures "${failures}" PARENT_SCOPE)
endfunction()

expect_listed(CMakeLists.txt . src/*.cpp include/*.hpp)
expect_listed(tests/CMakeLists.txt tests
    tests/unit/*.cpp tests/integration/*.cpp tests/conformance/*.cpp tests/support/*.cpp)
expect_listed(tests/fuzz/CMakeLists.txt tests/fuzz tests/fuzz/*.cpp)
expect_listed(tools/serin/CMakeLists.txt tools/serin tools/serin/*.cpp)
expect_listed(examples/CMakeLists.txt examples examples/*.cpp)

# The library proper: what CMakeLists.txt lists in SERIN_SOURCES.
file(READ ${ROOT}/CMakeLists.txt lists)
file(READ ${ROOT}/include/serin/src.hpp unit)
string(REGEX MATCH "set\\(SERIN_SOURCES([^)]*)\\)" matched "${lists}")
string(REGEX MATCHALL "src/[^ \n]+\\.cpp" sources "${CMAKE_MATCH_1}")
if(NOT sources)
    list(APPEND failures "CMakeLists.txt: SERIN_SOURCES is empty")
endif()
foreach(source IN LISTS sources)
    string(FIND "${unit}" "#include <serin/${source}>" place)
    if(place EQUAL -1)
        list(APPEND failures "${source} is not included by include/serin/src.hpp")
    endif()
endforeach()

foreach(failure IN LISTS failures)
    message("${failure}")
endforeach()
if(failures)
    message(FATAL_ERROR "check_sources: files are missing in the lists")
endif()
list(LENGTH sources count)
message(STATUS "check_sources: all listed, ${count} sources in the library")
