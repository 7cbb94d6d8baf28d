# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# A shared library exports what its public headers declare, and nothing else. Instead of a macro at every declaration,
# the headers are included once, as visible, before anything else of a source file; all other names are hidden.
#
# Not where the tests are built: they are linked to internal functions.

if(BUILD_SHARED_LIBS AND NOT SERIN_BUILD_TESTS)
    set(SERIN_HIDE_INTERNALS ON)
else()
    set(SERIN_HIDE_INTERNALS OFF)
endif()

# serin_hide_internals(<target> <public header>...)
function(serin_hide_internals target)
    if(NOT SERIN_HIDE_INTERNALS)
        return()
    endif()
    set(text "#pragma GCC visibility push(default)\n")
    foreach(header IN LISTS ARGN)
        string(REGEX REPLACE "^include/" "" header ${header})
        string(APPEND text "#include <${header}>\n")
    endforeach()
    set(file ${CMAKE_CURRENT_BINARY_DIR}/exported/${target}.hpp)
    file(CONFIGURE OUTPUT ${file} CONTENT "${text}#pragma GCC visibility pop\n" @ONLY)
    target_precompile_headers(${target} PRIVATE ${file})
    set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden)
endfunction()

# The internal functions of serin, for the libraries that are built on them: hidden, each needs a copy of its own.
add_library(serin_internals INTERFACE)
if(SERIN_HIDE_INTERNALS)
    add_library(serin_objects STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:serin>)
    set_target_properties(serin_objects PROPERTIES LINKER_LANGUAGE CXX)
    target_link_libraries(serin_internals INTERFACE serin_objects Boost::url OpenSSL::SSL OpenSSL::Crypto)
endif()
