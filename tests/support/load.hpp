// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_LOAD_HPP
#define SERIN_TESTS_SUPPORT_LOAD_HPP

#include "catch.hpp"
#include "run.hpp"
#include "tries.hpp"

#include <serin/client.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

// A provider for many requests: it remembers few of them, and answers with its name.
class named_provider
{
public:
    explicit named_provider(std::string name) : server(params()), name_(std::move(name)) { recover(); }

    void recover() { server.set_default(serin::mock::behavior().with_text("from " + name_)); }
    void fail(int status = 500) { server.set_default(serin::mock::behavior().with_status(status)); }

    serin::upstream upstream(unsigned weight = 1) const
    {
        serin::upstream u;
        u.name = name_;
        u.base_url = server.base_url();
        u.weight = weight;
        return u;
    }

    serin::mock::provider server;

private:
    static serin::mock::provider_params params()
    {
        serin::mock::provider_params p;
        p.log_capacity = 1000;
        return p;
    }

    std::string name_;
};

// A model that these upstreams answer for.
inline serin::model_route model_of(std::string name, std::vector<std::string> const& upstreams)
{
    serin::model_route m;
    m.name = std::move(name);
    for (std::string const& u : upstreams)
        m.upstreams.push_back({u, {}, {}});
    return m;
}

// What a call of the load came to.
class load_call
{
public:
    serin::steady_time began;
    serin::steady_time ended;
    std::string upstream; // That answered
    std::string key;
    serin::error_code ec;
    std::string trail;

    load_call() {}
};

// A client on a context of its own, and callers that ask one thing after another without a pause.
class load
{
public:
    explicit load(serin::client_params params) : client(context.get_executor(), logged(std::move(params))) {}

    // They ask for this model, each with its own sticky key.
    void start(std::string const& model, int callers = 8)
    {
        for (int i = 0; i < callers; ++i)
            boost::asio::co_spawn(context, call_on(model, "caller " + std::to_string(i)), boost::asio::detached);
    }

    // Runs until it is true; false if that takes longer than anyone should wait.
    template <class Condition>
    bool until(Condition const& condition, std::chrono::milliseconds limit = std::chrono::seconds(20))
    {
        auto const end = std::chrono::steady_clock::now() + limit;
        context.restart();
        while (!condition())
            if (context.run_one_until(end) == 0)
                return condition();
        return true;
    }

    void run_for(std::chrono::milliseconds time)
    {
        auto const end = std::chrono::steady_clock::now() + time;
        until([end] { return std::chrono::steady_clock::now() >= end; }, time + std::chrono::seconds(1));
    }

    // So many more calls.
    void run_calls(std::size_t count)
    {
        std::size_t const goal = calls.size() + count;
        REQUIRE(until([&] { return calls.size() >= goal; }));
    }

    // No more calls; those under way end.
    void stop()
    {
        stopping_ = true;
        REQUIRE(until([&] { return callers_ == 0; }));
    }

    // The share of an upstream in the calls that began since.
    double share_of(std::string_view upstream, serin::steady_time since = serin::steady_time::min()) const
    {
        std::size_t all = 0, its = 0;
        for (load_call const& c : calls)
        {
            if (c.began < since)
                continue;
            ++all;
            its += c.upstream == upstream;
        }
        return all == 0 ? 0 : static_cast<double>(its) / static_cast<double>(all);
    }

    // The first call that failed, for messages. Empty: none has.
    std::string failure() const
    {
        auto const failed = std::ranges::find_if(calls, [](load_call const& c) { return c.ec.failed(); });
        return failed == calls.end() ? "" : failed->ec.message() + ": " + failed->trail;
    }

    bool has_logged(std::string_view part) const
    {
        std::lock_guard const lock(mutex_);
        return std::ranges::any_of(
            lines_, [part](std::string const& line) { return line.find(part) != std::string::npos; });
    }

    static serin::steady_time now() { return std::chrono::steady_clock::now(); }

    boost::asio::io_context context;
    std::vector<load_call> calls;

private:
    serin::client_params logged(serin::client_params p)
    {
        p.log = [this](serin::log_level, std::string_view line) {
            std::lock_guard const lock(mutex_);
            lines_.emplace_back(line);
        };
        return p;
    }

    boost::asio::awaitable<void> call_on(std::string model, std::string key)
    {
        ++callers_;
        while (!stopping_)
        {
            load_call c;
            serin::diagnostics diag;
            auto request = ask(model);
            request.sticky_key = c.key = key;
            c.began = std::chrono::steady_clock::now();
            auto answer =
                co_await client.async_chat(std::move(request), diag, boost::asio::as_tuple(boost::asio::use_awaitable));
            c.ended = std::chrono::steady_clock::now();
            c.ec = std::get<0>(answer);
            c.upstream = std::get<1>(answer).upstream;
            if (c.ec)
                c.trail = trail(diag);
            calls.push_back(std::move(c));
        }
        --callers_;
    }

    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    int callers_ = 0;
    bool stopping_ = false;

public:
    serin::client client; // Ends first
};

#endif
