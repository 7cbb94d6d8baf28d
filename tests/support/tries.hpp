// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_TRIES_HPP
#define SERIN_TESTS_SUPPORT_TRIES_HPP

#include "catch.hpp"
#include "jumping_clock.hpp"
#include "run.hpp"

#include "client/client_impl.hpp"

#include <serin/client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// Upstreams "a", "b" and so on. The first is asked first: the others' share is next to nothing.
inline serin::client_params upstreams_at(std::vector<std::string> const& base_urls)
{
    serin::client_params p;
    for (std::string const& url : base_urls)
    {
        serin::upstream u;
        u.name = std::string(1, static_cast<char>('a' + p.upstreams.size()));
        u.base_url = url;
        u.weight = p.upstreams.empty() ? 1'000'000'000 : 1;
        p.upstreams.push_back(u);
    }
    p.seed = 1;
    return p;
}

// The upstreams that a call asked, in order: "aab".
inline std::string asked(serin::diagnostics const& diag)
{
    std::string names;
    for (serin::attempt const& a : diag.attempts)
        names += a.upstream;
    return names;
}

// The whole trail, for messages: "a 503 overloaded, b 200".
inline std::string trail(serin::diagnostics const& diag)
{
    std::string text;
    for (serin::attempt const& a : diag.attempts)
    {
        text += text.empty() ? "" : ", ";
        text += a.upstream + " " + std::to_string(a.status);
        if (a.error)
            text += " " + std::string(serin::kind_name(a.error));
    }
    return text;
}

// A delta, kept.
class seen_delta
{
public:
    int index = 0;
    std::string text;
    bool restarted = false;

    seen_delta() {}
};

// What a streamed call came to, and what was seen of it.
class stream_outcome : public outcome
{
public:
    bool opened = false; // The user got a stream
    std::vector<seen_delta> deltas;

    stream_outcome() {}

    // What the user has in the end, if he heeds the restarts.
    std::string text() const
    {
        std::string sum;
        for (seen_delta const& d : deltas)
        {
            if (d.restarted)
                sum.clear();
            sum += d.text;
        }
        return sum;
    }

    int restarts() const
    {
        int n = 0;
        for (seen_delta const& d : deltas)
            n += d.restarted;
        return n;
    }
};

// Reads a stream to its end.
inline boost::asio::awaitable<void> read_stream(serin::client& client, serin::chat_request request, stream_outcome& out)
{
    auto opened =
        co_await client.async_stream(std::move(request), out.diag, boost::asio::as_tuple(boost::asio::use_awaitable));
    out.ec = std::get<0>(opened);
    if (out.ec)
    {
        if (out.diag.partial)
            out.response = *out.diag.partial;
        co_return;
    }
    out.opened = true;
    serin::chat_stream& stream = std::get<1>(opened);
    for (;;)
    {
        auto next = co_await stream.async_next(out.diag, boost::asio::as_tuple(boost::asio::use_awaitable));
        out.ec = std::get<0>(next);
        auto const& delta = std::get<1>(next);
        if (out.ec || !delta)
            break;
        seen_delta seen;
        seen.index = delta->index;
        seen.text = delta->text;
        seen.restarted = delta->restarted;
        out.deltas.push_back(std::move(seen));
    }
    out.response = stream.response();
}

// A client on a context of its own whose waits between attempts take no time.
class quick_session
{
public:
    explicit quick_session(serin::client_params params)
        : client(std::make_shared<serin::client_impl>(context.get_executor(), std::move(params), clock))
    {}

    outcome chat(serin::chat_request request = ask())
    {
        outcome result;
        client.async_chat(std::move(request), result.diag, [&](serin::error_code ec, serin::chat_response response) {
            result.ec = ec;
            result.response = std::move(response);
        });
        finish();
        return result;
    }

    stream_outcome stream(serin::chat_request request = ask())
    {
        stream_outcome result;
        run(context, read_stream(client, std::move(request), result));
        return result;
    }

    outcome call(bool streamed, serin::chat_request request = ask())
    {
        if (streamed)
            return stream(std::move(request));
        return chat(std::move(request));
    }

    // Until nothing is left to do.
    void finish()
    {
        context.restart();
        context.run_for(std::chrono::seconds(60));
        REQUIRE(context.stopped());
    }

    std::shared_ptr<jumping_clock> const clock = std::make_shared<jumping_clock>();
    boost::asio::io_context context;
    serin::client client;
};

// An address of this machine that refuses connections, and goes on doing so.
class refusing_port
{
public:
    refusing_port() : socket_(context_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {}

    std::string base_url() const
    {
        return "http://127.0.0.1:" + std::to_string(socket_.local_endpoint().port()) + "/v1";
    }

private:
    boost::asio::io_context context_;
    boost::asio::ip::tcp::socket socket_; // Bound, but nobody listens
};

#endif
