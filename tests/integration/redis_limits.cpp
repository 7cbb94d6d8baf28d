// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/redis/limits.hpp>

#include "catch.hpp"
#include "redis_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using verdict = serin::shared_limits::verdict;

serin::rate_limit_params requests(double per_minute)
{
    serin::rate_limit_params p;
    p.requests_per_minute = per_minute;
    return p;
}

// What the server says to one who takes a request.
std::optional<verdict> take(serin::shared_limits& limits, boost::asio::io_context& context, std::string_view name,
    serin::rate_limit_params const& params, double tokens = 0, std::chrono::microseconds max_wait = 1h)
{
    std::optional<std::optional<verdict>> said;
    limits.take(name, params, tokens, max_wait, [&](std::optional<verdict> v) { said = v; });
    context.restart();
    context.run_for(60s);
    REQUIRE(context.stopped());
    REQUIRE(said);
    return *said;
}

// Takes as fast as it is let, until `until`, and counts.
class taker
{
public:
    taker(boost::asio::io_context& context, serin::shared_limits& limits, serin::rate_limit_params const& params,
        std::chrono::steady_clock::time_point until)
        : timer_(context),
          limits_(limits),
          params_(params),
          until_(until)
    {}

    void next()
    {
        limits_.take("shared", params_, 0, 1h, [this](std::optional<verdict> v) {
            if (!v || !v->admitted)
            {
                ++failed;
                return;
            }
            auto const turn = std::chrono::steady_clock::now() + v->wait;
            if (turn >= until_)
                return;
            timer_.expires_at(turn);
            timer_.async_wait([this](boost::system::error_code) {
                ++taken;
                next();
            });
        });
    }

    std::size_t taken = 0;
    std::size_t failed = 0;

private:
    boost::asio::steady_timer timer_;
    serin::shared_limits& limits_;
    serin::rate_limit_params const params_;
    std::chrono::steady_clock::time_point const until_;
};

// What a process with `takers` takes within `time`; minus one if it failed.
long take_for(
    serin::redis_params const& params, double per_minute, int takers, std::chrono::steady_clock::duration time)
{
    boost::asio::io_context context;
    auto const limits = serin::redis_shared_limits(context.get_executor(), params);
    auto const until = std::chrono::steady_clock::now() + time;
    std::vector<std::unique_ptr<taker>> all;
    for (int i = 0; i < takers; ++i)
    {
        all.push_back(std::make_unique<taker>(context, *limits, requests(per_minute), until));
        all.back()->next();
    }
    context.run_for(time + 30s);
    long taken = 0;
    for (auto const& t : all)
    {
        if (t->failed != 0)
            return -1;
        taken += static_cast<long>(t->taken);
    }
    return taken;
}

// The same in several processes at once.
std::vector<long> take_in_processes(
    int processes, serin::redis_params const& params, double per_minute, std::chrono::steady_clock::duration time)
{
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
            long taken = -1;
            try
            {
                taken = take_for(params, per_minute, 5, time);
            }
            catch (...)
            {}
            auto const written = ::write(ends[1], &taken, sizeof taken);
            ::_exit(written == sizeof taken ? 0 : 1);
        }
        ::close(ends[1]);
        children.emplace_back(child, ends[0]);
    }
    std::vector<long> taken;
    for (auto const& [child, end] : children)
    {
        taken.push_back(-1);
        auto const got = ::read(end, &taken.back(), sizeof(long));
        CHECK(got == sizeof(long));
        ::close(end);
        ::waitpid(child, nullptr, 0);
    }
    return taken;
}

} // namespace

TEST_CASE("redis limits: a second's worth goes at once, then each is told its turn")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const limits = serin::redis_shared_limits(context.get_executor(), server.params());
    auto const per_minute = requests(6); // One in ten seconds: whatever the machine does in between is nothing
    auto const first = take(*limits, context, "a", per_minute);
    REQUIRE(first);
    CHECK(first->admitted);
    CHECK(first->wait == 0us);
    std::chrono::microseconds before = 0us;
    for (int i = 1; i < 5; ++i)
    {
        auto const v = take(*limits, context, "a", per_minute);
        REQUIRE(v);
        CHECK(v->admitted);
        CHECK(v->wait <= i * 10s);
        CHECK(v->wait > i * 10s - 5s);
        CHECK(v->wait > before);
        before = v->wait;
    }
    auto const fast = requests(60'000);
    for (int i = 0; i < 100; ++i)
        CHECK(take(*limits, context, "fast", fast)->wait == 0us);
    // Another name is another limit.
    CHECK(take(*limits, context, "b", per_minute)->wait == 0us);
}

TEST_CASE("redis limits: who would wait for too long is refused and told for how long, and takes nothing")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const limits = serin::redis_shared_limits(context.get_executor(), server.params());
    auto const per_minute = requests(6);
    CHECK(take(*limits, context, "a", per_minute, 0, 0us)->admitted);
    for (int i = 0; i < 5; ++i)
    {
        auto const v = take(*limits, context, "a", per_minute, 0, 1s);
        REQUIRE(v);
        CHECK_FALSE(v->admitted);
        CHECK(v->wait > 5s);
        CHECK(v->wait <= 10s);
    }
    CHECK(take(*limits, context, "a", per_minute, 0, 10s)->admitted);
}

TEST_CASE(
    "redis limits: tokens count too, and a request that is larger than a second's worth goes when nothing is owed")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const limits = serin::redis_shared_limits(context.get_executor(), server.params());
    serin::rate_limit_params per_minute;
    per_minute.tokens_per_minute = 60; // One a second
    CHECK(take(*limits, context, "a", per_minute, 100)->wait == 0us);
    auto const next = take(*limits, context, "a", per_minute, 1);
    CHECK(next->wait <= 100s);
    CHECK(next->wait > 90s);
    // What was not used comes back, but there is never more than a second's worth.
    limits->give_back("a", per_minute, 0, 1000);
    CHECK(take(*limits, context, "a", per_minute, 1)->wait == 0us);
    CHECK(take(*limits, context, "a", per_minute, 1)->wait > 0us);
    // And what was used beyond the estimate is owed.
    limits->give_back("a", per_minute, 0, -50);
    CHECK(take(*limits, context, "a", per_minute, 1)->wait > 45s);
}

TEST_CASE("redis limits: a request that was not sent comes back")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const limits = serin::redis_shared_limits(context.get_executor(), server.params());
    auto const per_minute = requests(6);
    for (int i = 0; i < 5; ++i)
    {
        auto const v = take(*limits, context, "a", per_minute);
        CHECK(v->wait == 0us);
        limits->give_back("a", per_minute, 1, 0);
    }
}

TEST_CASE("redis limits: while the server is dead nobody is told anything")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const limits = serin::redis_shared_limits(context.get_executor(), server.params());
    CHECK(take(*limits, context, "a", requests(6)));
    server.kill();
    CHECK_FALSE(take(*limits, context, "a", requests(6)));
    CHECK_FALSE(take(*limits, context, "a", requests(6)));
    limits->give_back("a", requests(6), 1, 0);
    server.start();
    auto const give_up = std::chrono::steady_clock::now() + 20s;
    while (!take(*limits, context, "a", requests(6)) && std::chrono::steady_clock::now() < give_up)
    {
    }
    CHECK(take(*limits, context, "a", requests(6)));
}

TEST_CASE("redis limits: four processes that take as much as they can get no more than there is")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    auto const taken = take_in_processes(4, server.params(), 1200, 5s);
    long all = 0;
    for (long const n : taken)
    {
        CHECK(n > 10); // None of them goes short
        all += n;
    }
    // A second's worth at first, and what comes in.
    CHECK(all >= 110);
    CHECK(all <= 122);
}
