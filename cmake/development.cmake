# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# What concerns Serin's own targets only: warnings, sanitizers, ccache. All but one are off unless asked for.

if(SERIN_DEV)
    add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # On by default, and wrong about the frame of every asio::awaitable.
    add_compile_options(-Wno-mismatched-new-delete)
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # Clang keeps the address of a thread's cache across a suspension, so that a coroutine which another thread resumes
    # takes frames out of the wrong thread's cache (llvm-project 47179).
    add_compile_definitions(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING)
endif()

if(SERIN_SANITIZE)
    add_compile_options(-fsanitize=${SERIN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${SERIN_SANITIZE})
    if(SERIN_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # GCC warns about the fences within Asio, which its runtime does not model.
        add_compile_options(-Wno-tsan)
    endif()
endif()

if(SERIN_CCACHE)
    find_program(SERIN_CCACHE_PROGRAM ccache)
    mark_as_advanced(SERIN_CCACHE_PROGRAM)
    if(SERIN_CCACHE_PROGRAM)
        # Without these ccache gives up on every file that uses a precompiled header.
        set(CMAKE_CXX_COMPILER_LAUNCHER
            ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
            ${SERIN_CCACHE_PROGRAM})
        if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
            add_compile_options(-fpch-preprocess)
        else()
            add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
        endif()
    endif()
endif()
