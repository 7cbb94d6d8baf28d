# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DROOT=<checkout> -P check_layers.cmake
#
# A folder is a layer, in include/serin/ and in src/ alike. Fails when a file includes from a layer that its own may not
# use, and when a public header includes what would make every user's build slow.

cmake_minimum_required(VERSION 3.25)

if(NOT ROOT)
    cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH ROOT)
endif()

# What each layer may include, besides itself.
set(uses_core "")
set(uses_sse core)
set(uses_http core)
set(uses_chat core)
set(uses_policy core chat)
set(uses_observe core http)
set(uses_client core sse http chat policy observe)
set(uses_mock core http chat)
set(uses_redis core chat policy)
set(uses_gateway core sse http chat policy observe client)

# The server serves the mock and the gateway only.
set(server_users http mock gateway)

# These are everything by intent, so no layer may include them.
set(whole_headers include/serin.hpp include/serin/src.hpp)

# Not in a public header: each costs every user's file a second or more.
set(heavy "^(boost/beast|boost/asio/ssl|boost/asio\\.hpp|boost/asio/steady_timer\\.hpp|boost/asio/[a-z_]+_timer\\.hpp|openssl/|nlohmann/json\\.hpp)")
set(json_header include/serin/chat/json.hpp)

# The layer of a path relative to the root; empty for a file outside all layers. Files directly in include/serin/, such
# as client.hpp, are the client's.
function(layer_of path result)
    set(${result} "" PARENT_SCOPE)
    if(path MATCHES "^(include/serin|src)/([^/]+)/")
        set(${result} ${CMAKE_MATCH_2} PARENT_SCOPE)
    elseif(path MATCHES "^(include/serin|src)/[^/]+$")
        set(${result} client PARENT_SCOPE)
    endif()
endfunction()

set(failures "")
set(count 0)
file(GLOB_RECURSE files RELATIVE ${ROOT}
    ${ROOT}/include/*.hpp ${ROOT}/include/*.ipp ${ROOT}/src/*.hpp ${ROOT}/src/*.cpp ${ROOT}/src/*.ipp)
foreach(file IN LISTS files)
    math(EXPR count "${count} + 1")
    if(file IN_LIST whole_headers)
        continue()
    endif()
    layer_of(${file} layer)
    if(NOT DEFINED uses_${layer})
        list(APPEND failures "${file}: '${layer}' is not a layer")
        continue()
    endif()

    cmake_path(GET file PARENT_PATH folder)
    file(STRINGS ${ROOT}/${file} lines REGEX "^[ \t]*#[ \t]*(include|import)[ \t]*[<\"]")
    foreach(line IN LISTS lines)
        if(NOT line MATCHES "([<\"])([^>\"]+)[>\"]")
            continue()
        endif()
        set(quote "${CMAKE_MATCH_1}")
        set(name "${CMAKE_MATCH_2}")

        if(file MATCHES "^include/" AND name MATCHES "${heavy}")
            if(NOT (file STREQUAL json_header AND name STREQUAL "nlohmann/json.hpp"))
                list(APPEND failures "${file}: a public header may not include <${name}>")
            endif()
            continue()
        endif()

        # Where it points, as a path relative to the root.
        set(target "")
        if(name MATCHES "^serin/src/(.*)")
            set(target src/${CMAKE_MATCH_1})
        elseif(name MATCHES "^serin(/|\\.hpp$)")
            set(target include/${name})
        elseif(quote STREQUAL "\"")
            set(target ${folder}/${name})
            cmake_path(NORMAL_PATH target)
            if(NOT target MATCHES "^(src|include)/")
                list(APPEND failures "${file}: \"${name}\" leaves the library")
                continue()
            endif()
        endif()

        if(target IN_LIST whole_headers)
            list(APPEND failures "${file}: <${name}> is for users only")
        elseif(target)
            layer_of(${target} target_layer)
            if(NOT target_layer STREQUAL layer AND NOT target_layer IN_LIST uses_${layer})
                list(APPEND failures "${file}: '${layer}' may not include '${target_layer}' (${name})")
            elseif(target MATCHES "^src/http/server" AND NOT layer IN_LIST server_users)
                list(APPEND failures "${file}: '${layer}' may not include the server (${name})")
            elseif(file MATCHES "^include/" AND target MATCHES "^src/")
                list(APPEND failures "${file}: a public header may not include an internal one (${name})")
            endif()
        endif()
    endforeach()
endforeach()

foreach(failure IN LISTS failures)
    message("${failure}")
endforeach()
list(LENGTH failures failed)
if(failed GREATER 0)
    message(FATAL_ERROR "check_layers: ${failed} bad includes in ${count} files")
endif()
if(count EQUAL 0)
    message(FATAL_ERROR "check_layers: no files in ${ROOT}")
endif()
message(STATUS "check_layers: ${count} files, all includes point down")
