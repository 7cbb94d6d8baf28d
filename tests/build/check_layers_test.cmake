# SPDX-FileCopyrightText: 2026 the Serin authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DSCRATCH=<folder> -P check_layers_test.cmake
#
# Shows that check_layers.cmake catches what it should, each in a tree with that one include, and accepts what it should.

cmake_minimum_required(VERSION 3.25)

set(check ${CMAKE_CURRENT_LIST_DIR}/../../cmake/check_layers.cmake)

function(run file include result)
    file(REMOVE_RECURSE ${SCRATCH})
    file(WRITE ${SCRATCH}/${file} "// A comment; with [brackets]\n  # include ${include}\n")
    execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${SCRATCH} -P ${check}
        RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    set(${result} ${status} PARENT_SCOPE)
    set(output "${output}" PARENT_SCOPE)
endfunction()

function(rejects file include)
    run(${file} ${include} status)
    if(status EQUAL 0)
        message(SEND_ERROR "not caught: ${include} in ${file}")
    elseif(NOT output MATCHES "${file}: ")
        message(SEND_ERROR "caught without naming the file: ${include} in ${file}:\n${output}")
    endif()
endfunction()

function(accepts file include)
    run(${file} ${include} status)
    if(NOT status EQUAL 0)
        message(SEND_ERROR "refused: ${include} in ${file}:\n${output}")
    endif()
endfunction()

# Upward.
rejects(include/serin/core/a.hpp <serin/chat/message.hpp>)
rejects(src/http/a.cpp <serin/policy/retry.hpp>)
rejects(src/http/a.cpp "\"../client/call.hpp\"")
rejects(src/chat/a.cpp <serin/client.hpp>)
rejects(src/policy/a.cpp "\"../client/call_fsm.hpp\"")
rejects(src/client/a.cpp <serin/gateway/server.hpp>)
# Sideways.
rejects(include/serin/chat/a.hpp <serin/http/message.hpp>)
rejects(src/sse/a.cpp "\"../http/url.hpp\"")
rejects(src/http/a.hpp <serin/src/sse/parser.cpp>)
rejects(src/policy/a.cpp <serin/http/params.hpp>)
rejects(src/client/a.cpp "\"../mock/provider.hpp\"")
rejects(src/http/deep/a.cpp "\"../../chat/wire.hpp\"")
# Others.
rejects(src/client/a.cpp "\"../http/server.hpp\"")
rejects(src/client/a.cpp <serin.hpp>)
rejects(src/core/a.cpp "\"../../tests/support/catch.hpp\"")
rejects(include/serin/core/a.hpp "\"../../../src/core/launch.hpp\"")
rejects(src/utils/a.cpp <vector>)
# Heavy headers in public ones.
rejects(include/serin/http/a.hpp <boost/beast/http.hpp>)
rejects(include/serin/http/a.hpp <boost/asio/ssl/context.hpp>)
rejects(include/serin/http/a.hpp <boost/asio/ssl.hpp>)
rejects(include/serin/http/a.hpp <boost/asio.hpp>)
rejects(include/serin/client.hpp <boost/asio/steady_timer.hpp>)
rejects(include/serin/core/a.hpp <openssl/ssl.h>)
rejects(include/serin/chat/a.hpp <nlohmann/json.hpp>)
rejects(include/serin/mock/a.hpp "\"nlohmann/json.hpp\"")

accepts(include/serin/chat/json.hpp <nlohmann/json.hpp>)
accepts(include/serin/chat/a.hpp <nlohmann/json_fwd.hpp>)
accepts(include/serin/client.hpp <serin/http/params.hpp>)
accepts(include/serin/policy/a.hpp <serin/chat/message.hpp>)
accepts(src/http/a.cpp <boost/beast/http.hpp>)
accepts(src/http/a.cpp "\"url.hpp\"")
accepts(src/http/a.cpp "\"../core/launch.hpp\"")
accepts(src/mock/a.cpp "\"../http/server.hpp\"")
accepts(src/gateway/a.cpp <serin/client.hpp>)
accepts(src/observe/a.cpp "\"../http/url.hpp\"")
accepts(include/serin.hpp <serin/client.hpp>)

file(REMOVE_RECURSE ${SCRATCH})
