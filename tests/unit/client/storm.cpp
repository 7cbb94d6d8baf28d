// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What upstreams get to see of many calls together while they are down. Simulated: time goes from event to event.

#include "../../../src/client/call_fsm.hpp"

#include "budgets.hpp"
#include "catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using serin::call_failure;
using serin::call_fsm;
using serin::errc;
using serin::give_up;
using serin::retry_params;
using serin::steady_time;

namespace {

constexpr int seconds = 60;
constexpr int calls_per_second = 100;

struct outcome
{
    std::vector<std::vector<int>> seen; // Requests that each upstream got in each second.
    std::vector<std::vector<int>> paid; // Retries for which its budget paid in each second.
    std::vector<int> firsts;            // Requests that were the first of a call.
    int calls = 0;
    int answered = 0;
    std::map<give_up, int> given_up;
};

int sum(std::vector<int> const& v)
{
    return std::accumulate(v.begin(), v.end(), 0);
}

// The most that came in ten seconds in a row.
int busiest(std::vector<int> const& v)
{
    int most = 0;
    for (auto from = v.begin(); v.end() - from >= 10; ++from)
        most = std::max(most, std::accumulate(from, from + 10, 0));
    return most;
}

// What an upstream may see of so many calls in so many seconds.
int bound(int calls, int duration)
{
    return calls + calls / 5 + 10 * duration;
}

// A retry is paid for when it is decided on and sent up to half a second later, so a window of sent requests holds some
// that the one before has paid for.
int with_delays(int requests)
{
    return requests + requests / 50;
}

// A client with calls at regular times. An upstream answers at once, the share `failing` of requests with 503.
outcome simulate(retry_params const& params, std::vector<unsigned> const& weights, std::vector<double> const& failing,
    std::uint64_t seed)
{
    struct attempt
    {
        std::shared_ptr<call_fsm> call;
        std::size_t upstream;
        steady_time deadline;
    };
    std::mt19937_64 random(seed);
    owned_budgets budgets(params, weights.size());
    serin::route_table const routes = routes_by_weight(weights);
    std::multimap<steady_time, attempt> events;
    outcome result;
    result.seen.assign(weights.size(), std::vector<int>(seconds, 0));
    result.paid = result.seen;
    result.firsts.assign(weights.size(), 0);

    steady_time const start(1000s);
    for (steady_time t = start; t < start + 1s * seconds; t += 1000ms / calls_per_second)
        events.emplace(t, attempt{std::make_shared<call_fsm>(params, routes), 0, t + 600s});

    while (!events.empty())
    {
        auto const now = events.begin()->first;
        attempt a = events.begin()->second;
        events.erase(events.begin());
        if (a.call->attempts() == 0)
        {
            ++result.calls;
            a.upstream = a.call->start(budgets, now, random()).target;
            ++result.firsts[a.upstream];
        }
        auto const second = static_cast<std::size_t>((now - start) / 1s);
        bool const counts = second < seconds; // What is left after the last call comes with fresh budgets.
        if (counts)
            ++result.seen[a.upstream][second];
        if (!(std::uniform_real_distribution<double>()(random) < failing[a.upstream]))
        {
            ++result.answered;
            continue;
        }
        call_failure f;
        f.ec = errc::overloaded;
        auto const next = a.call->attempt_failed(a.upstream, f, budgets, now, a.deadline, random());
        if (next.what == call_fsm::action::finish)
            ++result.given_up[next.why];
        else
        {
            if (counts && (next.target == a.upstream || next.delay > 0s))
                ++result.paid[next.target][second];
            a.upstream = next.target;
            events.emplace(now + next.delay, a);
        }
    }
    return result;
}

} // namespace

TEST_CASE("storm: an upstream that is down sees a fifth more and ten per second, and no more")
{
    std::uint64_t const seed = GENERATE(1u, 2u, 3u, 4u, 5u);
    CAPTURE(seed);
    auto const o = simulate(retry_params(), {1}, {1}, seed);
    CHECK(o.calls == seconds * calls_per_second);
    CHECK(o.answered == 0);
    CHECK(sum(o.seen[0]) <= bound(o.calls, seconds));
    CHECK(busiest(o.paid[0]) <= bound(10 * calls_per_second, 10) - 10 * calls_per_second);
    CHECK(busiest(o.seen[0]) <= with_delays(bound(10 * calls_per_second, 10)));
    // It is not for want of trying.
    CHECK(sum(o.seen[0]) > bound(o.calls, seconds) * 99 / 100);
    CHECK(o.given_up.at(give_up::budget) > o.calls * 9 / 10);
}

TEST_CASE("storm: with an endless budget the same calls break the bound")
{
    retry_params params;
    params.budget_per_second = 1'000'000;
    auto const o = simulate(params, {1}, {1}, 1);
    CHECK(sum(o.seen[0]) > 4 * o.calls);
    CHECK(sum(o.seen[0]) > 3 * bound(o.calls, seconds));
    CHECK(busiest(o.seen[0]) > 3 * with_delays(bound(10 * calls_per_second, 10)));
    CHECK(o.given_up == std::map<give_up, int>{{give_up::attempts, o.calls}});
}

TEST_CASE("storm: the other upstream takes over from the one that is down, which sees no more than before")
{
    std::uint64_t const seed = GENERATE(1u, 2u, 3u, 4u, 5u);
    CAPTURE(seed);
    auto const o = simulate(retry_params(), {1, 1}, {1, 0}, seed);
    CHECK(o.answered == o.calls);
    CHECK(sum(o.seen[0]) <= bound(o.firsts[0], seconds));
    CHECK(sum(o.seen[0]) == o.firsts[0]);
    CHECK(sum(o.seen[1]) == o.firsts[1] + o.firsts[0]);
    CHECK(busiest(o.seen[1]) <= 10 * calls_per_second);
}

TEST_CASE("storm: with two upstreams down, each sees its own calls, those of the other once, and its budget")
{
    std::uint64_t const seed = GENERATE(1u, 2u, 3u, 4u, 5u);
    CAPTURE(seed);
    auto const o = simulate(retry_params(), {1, 1}, {1, 1}, seed);
    CHECK(o.answered == 0);
    for (std::size_t u : {0u, 1u})
        CHECK(sum(o.seen[u]) <= o.firsts[1 - u] + bound(o.firsts[u], seconds));

    retry_params endless;
    endless.budget_per_second = 1'000'000;
    auto const worse = simulate(endless, {1, 1}, {1, 1}, seed);
    for (std::size_t u : {0u, 1u})
        CHECK(sum(worse.seen[u]) * 2 > 3 * (worse.firsts[1 - u] + bound(worse.firsts[u], seconds)));
}

TEST_CASE("storm: with many upstreams down, the client's budget bounds the changes between them")
{
    std::uint64_t const seed = GENERATE(1u, 2u, 3u);
    CAPTURE(seed);
    std::vector<unsigned> const weights(4, 1);
    auto const o = simulate(retry_params(), weights, std::vector<double>(4, 1), seed);
    // Every call, its free change, further changes, and what each upstream's budget adds.
    int const most = o.calls + bound(o.calls, seconds) + (o.calls / 5 + 4 * 10 * seconds);
    int all = 0;
    for (auto const& seen : o.seen)
        all += sum(seen);
    CHECK(all <= most);

    retry_params endless;
    endless.budget_per_second = 1'000'000;
    auto const worse = simulate(endless, weights, std::vector<double>(4, 1), seed);
    int all_worse = 0;
    for (auto const& seen : worse.seen)
        all_worse += sum(seen);
    CHECK(all_worse > most);
}

TEST_CASE("storm: in fair weather the budget is in nobody's way")
{
    std::uint64_t const seed = GENERATE(1u, 2u, 3u);
    CAPTURE(seed);
    auto const o = simulate(retry_params(), {1}, {0.1}, seed);
    CHECK(o.given_up.count(give_up::budget) == 0);
    CHECK(o.answered >= o.calls - 3); // One in 100,000 fails five times
}
