// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/rate_limiter.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"

using namespace std::chrono_literals;
using serin::rate_limit_params;
using serin::rate_limiter;
using serin::read_server_limits;
using serin::server_limits;
using serin::steady_time;

namespace {

using nanoseconds = std::chrono::nanoseconds;
using id = rate_limiter::waiter_id;

steady_time const start{1000s};

rate_limit_params per_minute(double requests, double tokens = 0, std::size_t concurrent = 0)
{
    rate_limit_params p;
    p.requests_per_minute = requests;
    p.tokens_per_minute = tokens;
    p.max_concurrent = concurrent;
    return p;
}

// A number from 0 to below n.
class dice
{
public:
    explicit dice(unsigned seed) : engine_(seed) {}
    std::uint32_t operator()(std::size_t n) { return static_cast<std::uint32_t>(engine_() % n); }

private:
    std::mt19937 engine_;
};

// How many pass at once.
int pass(rate_limiter& l, steady_time now, double tokens = 0)
{
    int n = 0;
    for (; n < 1'000'000; ++n)
    {
        auto const r = l.reserve(tokens, now);
        if (!r)
            break;
        l.release(*r);
    }
    return n;
}

rate_limiter::reservation must_reserve(rate_limiter& l, double tokens, steady_time now)
{
    auto const r = l.reserve(tokens, now);
    REQUIRE(r);
    return *r;
}

// What the fields of an answer say; an empty one is absent.
struct fields
{
    std::string limit_requests, remaining_requests, reset_requests;
    std::string limit_tokens, remaining_tokens, reset_tokens;

    server_limits read() const
    {
        return read_server_limits([this](std::string_view name) -> std::string_view {
            return name == "x-ratelimit-limit-requests"       ? limit_requests
                   : name == "x-ratelimit-limit-tokens"       ? limit_tokens
                   : name == "x-ratelimit-remaining-requests" ? remaining_requests
                   : name == "x-ratelimit-remaining-tokens"   ? remaining_tokens
                   : name == "x-ratelimit-reset-requests"     ? reset_requests
                   : name == "x-ratelimit-reset-tokens"       ? reset_tokens
                                                              : std::string_view("99");
        });
    }
};

// The most that was admitted within 60 seconds, one end not included.
double most_in_a_minute(std::vector<std::pair<steady_time, double>> const& admitted)
{
    double most = 0;
    double sum = 0;
    std::size_t first = 0;
    for (auto const& [at, amount] : admitted)
    {
        sum += amount;
        for (; admitted[first].first <= at - 60s; ++first)
            sum -= admitted[first].second;
        most = std::max(most, sum);
    }
    return most;
}

} // namespace

TEST_CASE("rate_limiter: durations as servers write them")
{
    struct row
    {
        std::string_view text;
        std::optional<nanoseconds> expected;
    };
    row const rows[] = {
        {"1s", 1s},
        {"6m0s", 6min},
        {"120ms", 120ms},
        {"1h2m3.5s", 1h + 2min + 3500ms},
        {"2m59.56s", 2min + 59s + 560ms},
        {"7.66s", 7660ms},
        {"0s", 0s},
        {"0", 0s},
        {"59", 59s},
        {"0.25", 250ms},
        {" 17s\t", 17s},
        {"1d", 24h},
        {"1m", 1min},
        {"500us", 500us},
        {"500\xc2\xb5s", 500us},
        {"1ns", 1ns},
        {"0.5ns", 1ns}, // Rounded up
        {"12ms0s", 12ms},
        {"", std::nullopt},
        {" ", std::nullopt},
        {"s", std::nullopt},
        {"-1s", std::nullopt},
        {"+1s", std::nullopt},
        {"1 s", std::nullopt},
        {"1s1", std::nullopt},
        {"1s ago", std::nullopt},
        {"1w", std::nullopt},
        {"inf", std::nullopt},
        {"nan", std::nullopt},
        {"nans", std::nullopt},
        {"1e3", std::nullopt},
        {"0x10", std::nullopt},
        {"1,5s", std::nullopt},
        {"1731000000", std::nullopt}, // A date
        {"2024-11-07T17:20:00Z", std::nullopt},
        {"99999999999999999999999h", std::nullopt},
        {std::string_view("1\0s", 3), std::nullopt},
    };
    for (auto const& r : rows)
    {
        CAPTURE(r.text);
        auto const got = serin::read_limit_duration(r.text);
        CHECK(got.has_value() == r.expected.has_value());
        if (got && r.expected)
            CHECK(*got == *r.expected);
    }
    CHECK_FALSE(serin::read_limit_duration(std::string(400, '9')));
    CHECK_FALSE(serin::read_limit_duration(std::string(400, '9') + "s"));
}

TEST_CASE("rate_limiter: numbers as servers write them")
{
    CHECK(serin::read_limit_number("5000") == 5000);
    CHECK(serin::read_limit_number(" 0 ") == 0);
    CHECK(serin::read_limit_number("149999225") == 149999225);
    CHECK(serin::read_limit_number("60.5") == 60.5);
    for (std::string_view const bad :
        {"", "-1", "+1", "none", "inf", "nan", "5000;w=60", "100, 100", "1e9", "5 000", "0x7", "."})
    {
        CAPTURE(bad);
        CHECK_FALSE(serin::read_limit_number(bad));
    }
    CHECK_FALSE(serin::read_limit_number(std::string(400, '9')));
}

TEST_CASE("rate_limiter: each field of the server goes to its place")
{
    fields const all{"500", "499", "120ms", "30000", "29984", "6m0s"};
    auto const said = all.read();
    CHECK(said.requests.limit == 500);
    CHECK(said.requests.remaining == 499);
    CHECK(said.requests.reset == 120ms);
    CHECK(said.tokens.limit == 30000);
    CHECK(said.tokens.remaining == 29984);
    CHECK(said.tokens.reset == 6min);

    auto const nothing = fields{}.read();
    for (auto const* one : {&nothing.requests, &nothing.tokens})
    {
        CHECK_FALSE(one->limit);
        CHECK_FALSE(one->remaining);
        CHECK_FALSE(one->reset);
    }
    fields const no_limit{"0", "0", "", "0.5", "", ""};
    CHECK_FALSE(no_limit.read().requests.limit);
    CHECK(no_limit.read().requests.remaining == 0);
    CHECK_FALSE(no_limit.read().tokens.limit);
}

TEST_CASE("rate_limiter: a second's worth goes at once, one request always, the rest is spread")
{
    struct row
    {
        double limit;
        int at_once;
        nanoseconds then_one_every;
    };
    row const rows[] = {{0.5, 1, 120s}, {1, 1, 60s}, {3, 1, 20s}, {60, 1, 1s}, {600, 10, 100ms}, {60'000, 1000, 1ms}};
    for (auto const& r : rows)
    {
        CAPTURE(r.limit);
        rate_limiter l(per_minute(r.limit), start);
        CHECK(pass(l, start) == r.at_once);
        auto now = start;
        for (int i = 0; i < 20; ++i)
        {
            CHECK(l.expected(0, now) - now <= r.then_one_every);
            CHECK(l.expected(0, now) - now > r.then_one_every - 2us);
            CHECK(pass(l, now + r.then_one_every * 99 / 100) == 0);
            now += r.then_one_every;
            CHECK(pass(l, now) == 1);
        }
        // A long pause brings no more than a second's worth.
        CHECK(pass(l, now + 24h) == r.at_once);
    }
}

TEST_CASE("rate_limiter: no limit is no limit")
{
    double const nan = std::numeric_limits<double>::quiet_NaN();
    for (double const none : {0.0, -5.0, nan, std::numeric_limits<double>::infinity()})
    {
        rate_limiter l(per_minute(none, none), start);
        CHECK(pass(l, start, 1e12) == 1'000'000);
        CHECK(l.expected(1e12, start) == start);
    }
    CHECK_FALSE(serin::has_limits(rate_limit_params()));
    CHECK(serin::has_limits(per_minute(1)));
    CHECK(serin::has_limits(per_minute(0, 1)));
    CHECK(serin::has_limits(per_minute(0, 0, 1)));
}

TEST_CASE("rate_limiter: in no 60 seconds go more requests than the limit and a second's worth")
{
    for (double const limit : {3.0, 60.0, 90.0, 600.0, 6000.0})
        for (unsigned seed = 0; seed < 4; ++seed)
        {
            CAPTURE(limit, seed);
            std::mt19937 random(seed);
            // Bursts and pauses, more than the limit in all
            std::exponential_distribution<> pause(limit / 60 * 1.5);
            std::uniform_int_distribution<> burst(1, seed == 0 ? 1 : static_cast<int>(limit / 4) + 2);
            rate_limiter l(per_minute(limit), start);
            std::vector<std::pair<steady_time, double>> admitted;
            auto now = start;
            auto arrival = start;
            while (now < start + 10min)
            {
                // Whatever comes first: the next arrival, or room for the first in the queue
                auto const due = l.next(now);
                now = std::max(now, std::min(arrival, due));
                while (auto const g = l.serve(now))
                {
                    admitted.emplace_back(now, 1);
                    l.release(g->what);
                }
                if (now < arrival)
                    continue;
                int const n = burst(random);
                for (int i = 0; i < n; ++i)
                {
                    if (auto const r = l.reserve(0, now))
                    {
                        admitted.emplace_back(now, 1);
                        l.release(*r);
                    }
                    else
                        l.enqueue(0);
                }
                double const wait = pause(random) * (seed == 0 ? 1 : n);
                arrival += std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(wait));
            }
            double const a_second = std::max(1.0, limit / 60);
            CHECK(most_in_a_minute(admitted) < limit + a_second);
            if (limit <= 60)
                CHECK(most_in_a_minute(admitted) <= limit);
            // And what is asked for is used.
            CHECK(static_cast<double>(admitted.size()) > limit * 9);
        }
}

TEST_CASE("rate_limiter: in no 60 seconds go more tokens than the limit, a second's worth and one request")
{
    double const limit = 60'000;
    for (unsigned seed = 0; seed < 4; ++seed)
    {
        CAPTURE(seed);
        std::mt19937 random(seed);
        std::uniform_int_distribution<> size(1, seed % 2 == 0 ? 900 : 5000); // A second's worth is 1000
        rate_limiter l(per_minute(0, limit), start);
        std::vector<std::pair<steady_time, double>> admitted;
        auto now = start;
        double total = 0;
        while (now < start + 10min)
        {
            l.enqueue(size(random));
            for (;;)
            {
                if (auto const g = l.serve(now))
                {
                    admitted.emplace_back(now, g->what.tokens);
                    total += g->what.tokens;
                    l.release(g->what);
                    break;
                }
                auto const due = l.next(now);
                REQUIRE(due > now);
                now = due;
            }
        }
        double const overshoot = std::max(0, size.max() - 1000);
        CHECK(most_in_a_minute(admitted) <= limit + 1000 + overshoot);
        CHECK(total > limit * 9.9);
    }
}

TEST_CASE("rate_limiter: a request larger than the bucket goes when it is full, and the next ones pay")
{
    rate_limiter l(per_minute(0, 6000), start); // 100 a second
    l.release(must_reserve(l, 1000, start));
    CHECK(l.tokens().level() == -900);

    // Small ones wait until there is as much as they need, large ones until the bucket is full.
    CHECK(l.expected(10, start) == start + 9100ms);
    CHECK(l.expected(1'000'000, start) == start + 10s);
    CHECK_FALSE(l.reserve(10, start + 9099ms));
    CHECK(l.reserve(10, start + 9100ms));
    CHECK_FALSE(l.reserve(1'000'000, start + 10s));
    auto const at = l.expected(1'000'000, start + 10s);
    CHECK(at == start + 10100ms);
    CHECK(l.reserve(1'000'000, at));

    // One without tokens waits for the debt only.
    rate_limiter free(per_minute(0, 6000), start);
    free.release(must_reserve(free, 200, start));
    CHECK_FALSE(free.reserve(0, start + 999ms));
    CHECK(free.reserve(0, start + 1s));
}

TEST_CASE("rate_limiter: what was really used is settled")
{
    rate_limiter l(per_minute(0, 6000), start);
    auto r = must_reserve(l, 100, start);
    CHECK(l.tokens().level() == 0);
    SECTION("less")
    {
        l.reconcile(r, 30, start);
        CHECK(l.tokens().level() == 70);
        CHECK(r.tokens == 30);
    }
    SECTION("more, into debt")
    {
        l.reconcile(r, 350, start);
        CHECK(l.tokens().level() == -250);
    }
    SECTION("twice: the last word counts")
    {
        l.reconcile(r, 30, start);
        l.reconcile(r, 90, start);
        CHECK(l.tokens().level() == 10);
    }
    SECTION("the bucket does not overflow")
    {
        l.reconcile(r, 0, start + 900ms);
        CHECK(l.tokens().level() == 100);
    }
    SECTION("no count of tokens stops everything for more than ten minutes")
    {
        l.reconcile(r, 1e18, start);
        CHECK(l.expected(1, start) <= start + 10min + 1s);
        CHECK(l.expected(1, start) > start + 9min);
    }
    l.release(r);
    CHECK(l.running() == 0);
}

TEST_CASE("rate_limiter: nothing sent, nothing charged")
{
    rate_limiter l(per_minute(60, 6000, 1), start);
    auto r = must_reserve(l, 80, start);
    CHECK(l.requests().level() == 0);
    CHECK(l.tokens().level() == 20);
    l.give_back(r, start);
    l.release(r);
    CHECK(l.requests().level() == 1);
    CHECK(l.tokens().level() == 100);
    CHECK(l.running() == 0);
    CHECK(l.requests().taken() == 0);
    CHECK(l.tokens().taken() == 0);
    CHECK(pass(l, start, 80) == 1);
}

TEST_CASE("rate_limiter: no more at a time than allowed")
{
    rate_limiter l(per_minute(0, 0, 2), start);
    auto const a = must_reserve(l, 0, start);
    auto const b = must_reserve(l, 0, start);
    CHECK_FALSE(l.reserve(0, start));
    CHECK(l.expected(0, start) == start); // Nobody knows when
    id const w = l.enqueue(0);
    CHECK(l.next(start) == steady_time::max());
    CHECK_FALSE(l.serve(start));
    l.release(a);
    CHECK(l.next(start) == start);
    auto const g = l.serve(start);
    REQUIRE(g);
    CHECK(g->waiter == w);
    CHECK(l.running() == 2);
    l.release(b);
    l.release(g->what);
    CHECK(l.running() == 0);
}

TEST_CASE("rate_limiter: first come, first served, whatever else happens")
{
    for (unsigned seed = 0; seed < 20; ++seed)
    {
        CAPTURE(seed);
        dice random(seed);
        rate_limiter l(per_minute(6000, 60'000, 5), start);
        std::deque<id> queue;
        std::vector<rate_limiter::reservation> running;
        auto now = start;
        int served = 0;
        for (int step = 0; step < 20'000; ++step)
        {
            now += std::chrono::microseconds(random(4000));
            double const tokens = random(40);
            switch (random(8))
            {
            case 0:
            case 1:
                if (auto const r = l.reserve(tokens, now))
                {
                    REQUIRE(queue.empty());
                    running.push_back(*r);
                }
                else
                    queue.push_back(l.enqueue(tokens));
                break;
            case 2:
                if (!queue.empty())
                {
                    // Head, tail or anyone
                    std::size_t const at = step % 3 == 0 ? 0 : step % 3 == 1 ? queue.size() - 1 : random(queue.size());
                    l.abandon(queue[at]);
                    l.abandon(queue[at]); // Has no effect
                    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(at));
                }
                break;
            case 3:
            case 4:
            case 5:
                if (!running.empty())
                {
                    std::swap(running[random(running.size())], running.back());
                    if (step % 3 == 0)
                        l.give_back(running.back(), now);
                    else if (step % 3 == 1)
                        l.reconcile(running.back(), random(60), now);
                    l.release(running.back());
                    running.pop_back();
                }
                break;
            default:
                while (auto const g = l.serve(now))
                {
                    REQUIRE_FALSE(queue.empty());
                    REQUIRE(g->waiter == queue.front());
                    queue.pop_front();
                    running.push_back(g->what);
                    ++served;
                }
            }
            REQUIRE(l.waiting() == queue.size());
            REQUIRE(l.running() == running.size());
            REQUIRE(l.running() <= 5);
        }
        CHECK(served > 500);
        for (auto const& r : running)
            l.release(r);
        while (!queue.empty())
        {
            auto const due = l.next(now);
            REQUIRE(due < now + 1h);
            now = due;
            auto const g = l.serve(now);
            REQUIRE(g);
            REQUIRE(g->waiter == queue.front());
            queue.pop_front();
            l.release(g->what);
        }
        CHECK(l.running() == 0);
    }
}

TEST_CASE("rate_limiter: what is due is served then, and not before")
{
    dice random(7);
    for (int round = 0; round < 2000; ++round)
    {
        CAPTURE(round);
        double const requests = random(3) == 0 ? 0 : 0.01 * (1.0 + random(10'000'000));
        double const tokens = random(3) == 0 ? 0 : 0.1 * (1.0 + random(100'000'000));
        rate_limiter l(per_minute(requests, tokens), start);
        l.release(must_reserve(l, random(100'000), start));
        double const estimate = random(100'000);
        l.enqueue(estimate);
        auto const due = l.next(start);
        if (due == steady_time::max())
            continue;
        if (due - start > 1ms)
            REQUIRE_FALSE(l.serve(due - 1ms - (due - start) / 1000));
        REQUIRE(l.serve(due));
    }
}

TEST_CASE("rate_limiter: nobody is admitted before the earliest time that was told")
{
    dice random(11);
    rate_limiter l(per_minute(1200, 60'000), start);
    std::map<id, steady_time> earliest;
    std::vector<rate_limiter::reservation> running;
    auto now = start;
    int served = 0;
    for (int step = 0; step < 50'000; ++step)
    {
        now += std::chrono::microseconds(random(20'000));
        if (random(3) == 0)
        {
            double const tokens = random(3000);
            auto const at = l.earliest(tokens, now);
            CHECK(at <= l.expected(tokens, now));
            if (l.waiting() < 50)
                earliest[l.enqueue(tokens)] = at;
        }
        while (auto const g = l.serve(now))
        {
            REQUIRE(now >= earliest.at(g->waiter) - 1us);
            ++served;
            running.push_back(g->what);
        }
        if (!running.empty() && random(2) == 0)
        {
            std::swap(running[random(running.size())], running.back());
            if (random(4) != 0)
                l.reconcile(running.back(), random(2000), now);
            l.release(running.back());
            running.pop_back();
        }
    }
    CHECK(served > 300);
}

TEST_CASE("rate_limiter: the time until there is room")
{
    rate_limiter l(per_minute(60, 6000), start); // One and 100 a second
    auto r = must_reserve(l, 600, start);
    CHECK(l.expected(50, start) == start + 5500ms);
    CHECK(l.earliest(50, start) == start + 1s); // The estimate may come back, the request does not
    l.reconcile(r, 600, start);
    CHECK(l.earliest(50, start) == start + 5500ms);
    l.release(r);
    CHECK(l.earliest(50, start) == start + 5500ms);

    id const first = l.enqueue(50);
    id const second = l.enqueue(50);
    CHECK(l.expected(50, start) == start + 6500ms);
    CHECK(l.earliest(50, start) == start + 5500ms);
    CHECK(l.earliest_of(first, start) == start + 5500ms);
    CHECK(l.earliest_of(second, start) == start + 5500ms);
    for (int i = 0; i < 8; ++i)
        l.enqueue(0);
    CHECK(l.earliest(50, start) == start + 11s);
    CHECK(l.next(start) == start + 5500ms);
    l.cool(start + 1min, start);
    CHECK(l.expected(50, start) == start + 1min);
    CHECK(l.earliest_of(second, start) == start + 1min);
    CHECK(l.next(start) == start + 1min);
}

TEST_CASE("rate_limiter: a time so far away that it cannot be told")
{
    rate_limiter l(per_minute(1e-9), start);
    CHECK(pass(l, start) == 1);
    CHECK(l.expected(0, start) == steady_time::max());
    l.enqueue(0);
    CHECK(l.next(start) == steady_time::max());
}

TEST_CASE("rate_limiter: the server's word lowers what is left, never raises it")
{
    struct row
    {
        char const* what;
        fields said;
        int pass_at_once;    // Of 10 requests a second
        nanoseconds then_at; // When one more passes
    };
    row const rows[] = {
        {"nothing", {"", "", "", "", "", ""}, 9, 100ms},
        {"enough", {"600", "599", "100ms", "", "", ""}, 9, 100ms},
        {"more than ours", {"100000", "99999", "1s", "", "", ""}, 9, 100ms},
        {"little", {"600", "3", "59s", "", "", ""}, 3, 100ms},
        {"nothing, until", {"600", "0", "12s", "", "", ""}, 0, 12s},
        {"nothing, until never", {"600", "0", "48h", "", "", ""}, 0, 10min},
        {"nothing, no time", {"600", "0", "", "", "", ""}, 0, 100ms},
        {"nothing, no time in it", {"600", "0", "0s", "", "", ""}, 0, 100ms},
        {"nothing, bad time", {"600", "0", "-5s", "", "", ""}, 0, 100ms},
        {"a time only", {"", "", "30s", "", "", ""}, 9, 100ms},
        {"lower limit", {"120", "100", "1s", "", "", ""}, 2, 500ms},
        {"limit of one", {"1", "", "", "", "", ""}, 1, 60s},
        {"no limit", {"0", "", "", "", "", ""}, 9, 100ms},
        {"garbage", {"many", "-1", "soon", "\xff", "1e400", "x"}, 9, 100ms},
        {"no tokens, though ours have no limit", {"", "", "", "1000", "0", "6s"}, 0, 6s},
        {"other tokens do not matter", {"", "", "", "1", "1", "6s"}, 9, 100ms},
    };
    for (auto const& r : rows)
    {
        CAPTURE(r.what);
        rate_limiter l(per_minute(600), start);
        auto const answered = must_reserve(l, 10, start);
        l.learn(r.said.read(), answered, start);
        CHECK(pass(l, start) == r.pass_at_once);
        CHECK(l.expected(0, start) == start + r.then_at);
        CHECK(pass(l, start + r.then_at - 1ms) == 0);
        CHECK(pass(l, start + r.then_at) >= 1);
    }
}

TEST_CASE("rate_limiter: the server's tokens")
{
    rate_limiter l(per_minute(0, 60'000), start); // 1000 a second
    auto const answered = must_reserve(l, 100, start);
    l.learn(fields{"", "", "", "60000", "250", "58s"}.read(), answered, start);
    CHECK(l.tokens().level() == 250);
    l.learn(fields{"", "", "", "6000", "5000", ""}.read(), answered, start);
    CHECK(l.tokens().level() == 100);
    CHECK(l.tokens().per_minute() == 6000);
}

TEST_CASE("rate_limiter: a lower limit of the server holds until it says otherwise")
{
    rate_limiter l(per_minute(600), start);
    auto const answered = must_reserve(l, 0, start);
    auto say = [&](std::string limit) { l.learn(fields{limit, "", "", "", "", ""}.read(), answered, start); };
    say("60");
    CHECK(l.requests().per_minute() == 60);
    say("");
    CHECK(l.requests().per_minute() == 60);
    say("120");
    CHECK(l.requests().per_minute() == 120);
    say("5000");
    CHECK(l.requests().per_minute() == 600);
}

TEST_CASE("rate_limiter: what the server cannot have counted yet is counted")
{
    rate_limiter l(per_minute(600), start);
    auto const first = must_reserve(l, 0, start);
    auto const second = must_reserve(l, 0, start);
    must_reserve(l, 0, start);
    // It had 5 left when it had seen the first; two more are on their way.
    l.learn(fields{"600", "5", "", "", "", ""}.read(), first, start);
    CHECK(l.requests().level() == 3);
    // The same again, seen later: nothing is counted twice.
    l.learn(fields{"600", "4", "", "", "", ""}.read(), second, start);
    CHECK(l.requests().level() == 3);

    // An answer that took long: what was sent since has come in again at the server.
    rate_limiter slow(per_minute(600), start);
    auto const old = must_reserve(slow, 0, start);
    for (int i = 1; i <= 300; ++i)
        must_reserve(slow, 0, start + i * 100ms);
    slow.learn(fields{"600", "8", "", "", "", ""}.read(), old, start + 30s);
    CHECK(slow.requests().level() > 7.9);
}

TEST_CASE("rate_limiter: nothing passes while the server wants rest")
{
    rate_limiter l(per_minute(0, 0, 10), start);
    l.cool(start + 5s, start);
    CHECK(pass(l, start) == 0);
    CHECK(l.expected(0, start) == start + 5s);
    l.cool(start + 1s, start); // Does not shorten it
    CHECK_FALSE(l.reserve(0, start + 4999ms));
    CHECK(l.reserve(0, start + 5s));

    l.cool(start + 24h, start + 6s);
    CHECK(l.expected(0, start + 6s) == start + 6s + 10min);
    l.cool(steady_time::max(), start + 7s);
    CHECK(l.expected(0, start + 7s) == start + 7s + 10min);
}

TEST_CASE("rate_limiter: a clock that stands still or goes back brings nothing")
{
    rate_limiter l(per_minute(60), start);
    CHECK(pass(l, start) == 1);
    CHECK(pass(l, start) == 0);
    CHECK(pass(l, start - 1h) == 0);
    CHECK(pass(l, start + 999ms) == 0);
    CHECK(pass(l, start + 1s) == 1);
}
