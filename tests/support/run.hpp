// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_RUN_HPP
#define SERIN_TESTS_SUPPORT_RUN_HPP

#include "catch.hpp"

#include <serin/client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

// Runs a coroutine on a context until the context has nothing left to do, which must be soon after.
inline void run(boost::asio::io_context& context, boost::asio::awaitable<void> body)
{
    std::exception_ptr error;
    bool ended = false;
    boost::asio::co_spawn(context, std::move(body), [&](std::exception_ptr e) {
        error = e;
        ended = true;
    });
    context.restart();
    context.run_for(std::chrono::seconds(60));
    if (error)
        std::rethrow_exception(error);
    REQUIRE(ended);
    REQUIRE(context.stopped()); // Nothing was left behind
}

inline serin::client_params params_for(std::string base_url)
{
    serin::client_params p;
    serin::upstream u;
    u.base_url = std::move(base_url);
    p.upstreams.push_back(u);
    p.retry.max_attempts = 1; // Tests of what one attempt comes to; those of retries say how many
    p.seed = 1;
    return p;
}

inline serin::chat_request ask(std::string model = "mock")
{
    serin::chat_request r(std::move(model));
    r.user("Say hi");
    return r;
}

// What a call came to.
class outcome
{
public:
    serin::error_code ec;
    serin::diagnostics diag;
    serin::chat_response response;

    outcome() {}
};

// One whole answer, on a context of its own.
inline outcome chat_once(serin::client_params params, serin::chat_request request)
{
    outcome result;
    boost::asio::io_context context;
    serin::client client(context.get_executor(), std::move(params));
    client.async_chat(std::move(request), result.diag, [&](serin::error_code ec, serin::chat_response response) {
        result.ec = ec;
        result.response = std::move(response);
    });
    context.run_for(std::chrono::seconds(60));
    REQUIRE(context.stopped());
    return result;
}

// One streamed answer to its end, on a context of its own.
inline outcome stream_once(serin::client_params params, serin::chat_request request)
{
    outcome result;
    boost::asio::io_context context;
    serin::client client(context.get_executor(), std::move(params));
    auto body = [](serin::client& c, serin::chat_request r, outcome& out) -> boost::asio::awaitable<void> {
        auto opened =
            co_await c.async_stream(std::move(r), out.diag, boost::asio::as_tuple(boost::asio::use_awaitable));
        out.ec = std::get<0>(opened);
        if (out.ec)
        {
            if (out.diag.partial)
                out.response = *out.diag.partial;
            co_return;
        }
        serin::chat_stream& stream = std::get<1>(opened);
        for (;;)
        {
            auto next = co_await stream.async_next(out.diag, boost::asio::as_tuple(boost::asio::use_awaitable));
            out.ec = std::get<0>(next);
            if (out.ec || !std::get<1>(next))
                break;
        }
        out.response = stream.response();
    };
    run(context, body(client, std::move(request), result));
    return result;
}

#endif
