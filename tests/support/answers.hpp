// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_ANSWERS_HPP
#define SERIN_TESTS_SUPPORT_ANSWERS_HPP

#include "catch.hpp"
#include "run.hpp"

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/io_context.hpp>

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <string>
#include <utility>

// A completion whose text is `text`.
inline std::string completion_json(std::string const& text)
{
    return R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)"
           R"({"role":"assistant","content":")" +
           text + R"("},"finish_reason":"stop"}]})";
}

// The bytes of an answer that holds it. `fields`: further header fields, each with its line end.
inline std::string http_answer(std::string const& text, std::string const& fields = {})
{
    std::string const body = completion_json(text);
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A client on a context of its own, for calls one after another.
class session
{
public:
    explicit session(serin::client_params params) : client(context.get_executor(), std::move(params)) {}

    outcome chat(serin::chat_request request = ask())
    {
        outcome result;
        client.async_chat(std::move(request), result.diag, [&](serin::error_code ec, serin::chat_response response) {
            result.ec = ec;
            result.response = std::move(response);
        });
        run();
        return result;
    }

    void run()
    {
        context.restart();
        context.run_for(std::chrono::seconds(60));
        REQUIRE(context.stopped());
    }

    boost::asio::io_context context;
    serin::client client;
};

// A request with a prompt of so many bytes.
inline serin::chat_request ask_at_length(std::size_t bytes)
{
    serin::chat_request r("mock");
    r.user(std::string(bytes, 'x'));
    return r;
}

// Closes the connections of a provider between two requests.
inline void close_idle(serin::mock::provider& server)
{
    // It may not have begun to wait for the next request.
    bool closed = false;
    for (int i = 0; i < 20 && !closed; ++i)
    {
        server.close_idle();
        closed = server.wait_until([&] { return server.connections_open() == 0; }, std::chrono::milliseconds(500));
    }
    REQUIRE(closed);
}

// The memory that this process has in use.
inline std::size_t resident_bytes()
{
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

#endif
