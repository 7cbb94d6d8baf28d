// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Clients that share answers and limits through a Redis server.

#include "catch.hpp"
#include "redis_server.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>
#include <serin/redis/cache.hpp>
#include <serin/redis/limits.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using serin::mock::behavior;

// A client with a store of its own, as in a process of its own.
class user
{
public:
    user(serin::client_params params, serin::redis_params const& redis)
        : client(context.get_executor(), with_store(context, std::move(params), redis))
    {}

    outcome chat(serin::chat_request request = ask())
    {
        outcome result;
        client.async_chat(std::move(request), result.diag, [&](serin::error_code ec, serin::chat_response response) {
            result.ec = ec;
            result.response = std::move(response);
        });
        context.restart();
        context.run_for(60s);
        REQUIRE(context.stopped());
        return result;
    }

    boost::asio::io_context context;
    serin::client client;

private:
    static serin::client_params with_store(
        boost::asio::io_context& context, serin::client_params params, serin::redis_params const& redis)
    {
        if (params.cache)
            params.cache->store = serin::redis_cache_store(context.get_executor(), redis);
        else
            params.shared_limits = serin::redis_shared_limits(context.get_executor(), redis);
        return params;
    }
};

serin::client_params caching(std::string base_url)
{
    auto p = params_for(std::move(base_url));
    p.cache.emplace();
    p.cache->store_timeout = 5s;
    return p;
}

serin::client_params limited(std::string base_url, double per_minute, serin::when_limited how)
{
    auto p = params_for(std::move(base_url));
    p.upstreams[0].limits.requests_per_minute = per_minute;
    p.upstreams[0].limits.on_limit = how;
    return p;
}

// Asks again and again, `at_once` requests at a time.
class asker
{
public:
    asker(serin::client_params params, serin::redis_params const& redis) : user_(std::move(params), redis) {}

    void run(std::size_t at_once, std::chrono::steady_clock::duration time)
    {
        for (std::size_t i = 0; i < at_once; ++i)
            next();
        user_.context.run_for(time);
    }

private:
    void next()
    {
        user_.client.async_chat(ask(), [this](serin::error_code, serin::chat_response const&) { next(); });
    }

    user user_;
};

} // namespace

TEST_CASE("redis client: what one client has asked the others know")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server redis;
    serin::mock::provider server;
    user one(caching(server.base_url()), redis.params());
    user two(caching(server.base_url()), redis.params());
    auto const first = one.chat();
    CHECK_FALSE(first.response.from_cache);
    auto const second = two.chat();
    CHECK(second.response.from_cache);
    CHECK(second.response.text() == first.response.text());
    CHECK(server.request_count() == 1);
    // A tenant's answers are his own, here too.
    auto request = ask();
    request.tenant = "another";
    CHECK_FALSE(two.chat(request).response.from_cache);
}

TEST_CASE("redis client: a dead server is a miss and never a failed call")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server redis;
    serin::mock::provider server;
    user u(caching(server.base_url()), redis.params());
    u.chat();
    CHECK(u.chat().response.from_cache);
    redis.kill();
    for (int i = 0; i < 10; ++i)
    {
        auto const r = u.chat();
        CHECK_FALSE(r.ec);
        CHECK_FALSE(r.response.from_cache);
    }
    redis.start();
    auto const give_up = std::chrono::steady_clock::now() + 20s;
    while (!u.chat().response.from_cache && std::chrono::steady_clock::now() < give_up)
    {
    }
    CHECK(u.chat().response.from_cache);
}

TEST_CASE("redis client: a server that dies or stops in the middle of calls fails none of them")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server redis;
    serin::mock::provider server;
    for (bool const killed : {true, false})
    {
        auto p = caching(server.base_url());
        p.cache->store_timeout = 200ms;
        user u(p, redis.params());
        u.chat();
        std::vector<outcome> results(20);
        for (std::size_t i = 0; i < results.size(); ++i)
        {
            auto request = ask();
            request.user(std::to_string(i));
            u.client.async_chat(request, [&r = results[i]](serin::error_code ec, serin::chat_response response) {
                r.ec = ec;
                r.response = std::move(response);
            });
            if (i == 10)
                killed ? redis.kill() : redis.signal(SIGSTOP);
        }
        u.context.restart();
        u.context.run_for(60s);
        CHECK(u.context.stopped());
        for (outcome const& r : results)
        {
            CHECK_FALSE(r.ec);
            CHECK_FALSE(r.response.text().empty());
        }
        if (killed)
            redis.start();
    }
}

TEST_CASE("redis client: clients share a limit, and each is told when there is room")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server redis;
    serin::mock::provider server;
    user one(limited(server.base_url(), 6, serin::when_limited::fail), redis.params());
    user two(limited(server.base_url(), 6, serin::when_limited::fail), redis.params());
    CHECK_FALSE(one.chat().ec);
    auto const refused = two.chat();
    CHECK(refused.ec == serin::errc::rate_limited);
    REQUIRE(refused.diag.retry_after);
    CHECK(*refused.diag.retry_after > 1s);
    CHECK(*refused.diag.retry_after <= 10s);
    CHECK(server.request_count() == 1);
}

TEST_CASE("redis client: tokens of the limit that were not used come back for all")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server redis;
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    p.upstreams[0].limits.tokens_per_minute = 60'000; // 1000 a second
    p.upstreams[0].limits.on_limit = serin::when_limited::fail;
    user one(p, redis.params());
    user two(p, redis.params());
    auto request = ask();
    request.max_tokens = 900;
    CHECK_FALSE(one.chat(request).ec);
    CHECK_FALSE(two.chat(request).ec);
}

TEST_CASE("redis client: while the server is dead each client keeps its own limit")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server redis;
    serin::mock::provider server;
    user one(limited(server.base_url(), 6, serin::when_limited::fail), redis.params());
    user two(limited(server.base_url(), 6, serin::when_limited::fail), redis.params());
    redis.kill();
    CHECK_FALSE(one.chat().ec);
    CHECK(one.chat().ec == serin::errc::rate_limited);
    CHECK_FALSE(two.chat().ec);
    CHECK(two.chat().ec == serin::errc::rate_limited);
}

TEST_CASE("redis client: four processes share 600 requests a minute")
{
    SERIN_NEEDS_REDIS_SERVER();
    constexpr int processes = 4;
    constexpr auto time = 60s;
    redis_server redis;
    // They are made before the provider's thread.
    std::vector<std::pair<pid_t, int>> children;
    for (int i = 0; i < processes; ++i)
    {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        pid_t const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
        {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            unsigned short port = 0;
            if (::read(ends[0], &port, sizeof port) == sizeof port)
            {
                auto const url = "http://127.0.0.1:" + std::to_string(port) + "/v1";
                asker a(limited(url, 600, serin::when_limited::wait), redis.params());
                a.run(10, time + 5s);
            }
            ::_exit(0);
        }
        ::close(ends[0]);
        children.emplace_back(child, ends[1]);
    }
    serin::mock::provider server;
    unsigned short const port = server.port();
    for (auto const& [child, end] : children)
        CHECK(::write(end, &port, sizeof port) == sizeof port);
    for (auto const& [child, end] : children)
    {
        ::waitpid(child, nullptr, 0);
        ::close(end);
    }
    auto const log = server.requests();
    REQUIRE_FALSE(log.empty());
    auto const in_a_minute =
        std::count_if(log.begin(), log.end(), [&](auto const& r) { return r.received - log.front().received < time; });
    WARN("in a minute: " << in_a_minute);
    CHECK(in_a_minute >= 588);
    CHECK(in_a_minute <= 612);
    // No second has much more than its share, but for the first.
    for (auto const& from : log)
    {
        auto const in_a_second = std::count_if(log.begin(), log.end(),
            [&](auto const& r) { return r.received >= from.received && r.received - from.received < 1s; });
        CHECK(in_a_second <= 22);
    }
}
