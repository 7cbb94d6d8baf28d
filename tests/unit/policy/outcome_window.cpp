// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/outcome_window.hpp"

#include "policy/stable_hash.hpp"

#include "catch.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using namespace std::chrono_literals;
using serin::duration_histogram;
using serin::errc;
using serin::outcome;
using serin::outcome_window;
using serin::steady_time;
using serin::verdict;

namespace {

using duration = steady_time::duration;

steady_time const start(1200s);

double as_ms(duration d)
{
    return std::chrono::duration<double, std::milli>(d).count();
}

// A long tail, as latencies have: a Pareto distribution from 100 ms on.
duration drawn(std::uint64_t n, double at_least_ms = 100)
{
    double const u = serin::unit_interval(serin::mix_bits(n * 0x9e3779b97f4a7c15u));
    return std::chrono::duration_cast<duration>(
        std::chrono::duration<double, std::milli>(at_least_ms * std::pow(u, -0.4)));
}

double true_quantile_ms(double q)
{
    return 100 * std::pow(1 - q, -0.4);
}

} // namespace

TEST_CASE("outcome_of: a success, a failure of the upstream, a rate limit, and what says nothing")
{
    verdict counts, cools;
    counts.counts = true;
    cools.cools = true;
    CHECK(serin::outcome_of({}, {}) == outcome::success);
    CHECK(serin::outcome_of(serin::error_code(1, boost::system::generic_category()), counts) == outcome::failure);
    CHECK(serin::outcome_of(serin::error_code(1, boost::system::generic_category()), cools) == outcome::limited);
    CHECK(serin::outcome_of(serin::error_code(1, boost::system::generic_category()), {}) == outcome::neutral);
}

TEST_CASE("duration_histogram: a quantile is known to 1.6 %")
{
    for (double const scale : {0.001, 1.0, 777.0})
    {
        duration_histogram h;
        std::vector<duration> all;
        for (std::uint64_t i = 1; i <= 20'000; ++i)
        {
            all.push_back(drawn(i, scale));
            h.add(all.back());
        }
        std::sort(all.begin(), all.end());
        for (double const q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.999})
        {
            CAPTURE(scale, q);
            auto const rank = static_cast<std::size_t>(std::max(std::ceil(q * 20'000 - 1e-6), 1.0)) - 1;
            double const exact = as_ms(all[rank]);
            CHECK(std::abs(as_ms(*h.quantile(q)) - exact) <= 0.016 * exact + 0.001);
        }
    }
}

TEST_CASE("duration_histogram: the 99th of a hundred is the p99")
{
    duration_histogram h;
    CHECK_FALSE(h.quantile(0.99));
    for (int i = 0; i < 99; ++i)
        h.add(50us);
    h.add(1h);
    CHECK(h.quantile(0.99) == duration(50us));
    CHECK(h.quantile(1)->count() > duration(59min).count());
    h.add(1h);
    CHECK(*h.quantile(0.99) > 59min);
    CHECK(h.count_above(50us) == 2);
    CHECK(h.count_above(49us) == 101);
    CHECK(h.count_above(2h) == 0);
}

TEST_CASE("duration_histogram: short, long and impossible durations")
{
    duration_histogram h;
    h.add(-5s);
    h.add(duration::min());
    CHECK(h.quantile(1) == duration(0));
    for (int us = 0; us < 128; ++us)
    {
        duration_histogram one;
        one.add(std::chrono::microseconds(us));
        CHECK(one.quantile(0.5) == duration(std::chrono::microseconds(us)));
    }
    h.add(duration::max());
    h.add(100h);
    CHECK(*h.quantile(1) > 71min);
    CHECK(*h.quantile(1) < 72min);
    CHECK(h.count() == 4);
}

TEST_CASE("duration_histogram: merging and taking away")
{
    duration_histogram a, b, both;
    for (std::uint64_t i = 0; i < 1000; ++i)
    {
        (i % 3 == 0 ? a : b).add(drawn(i));
        both.add(drawn(i));
    }
    auto const a_before = a.quantile(0.9);
    a.add(b);
    CHECK(a.count() == both.count());
    for (double const q : {0.0, 0.5, 0.9, 0.99, 1.0})
        CHECK(a.quantile(q) == both.quantile(q));
    a.subtract(b);
    CHECK(a.quantile(0.9) == a_before);
    a.clear();
    CHECK(a.count() == 0);
    CHECK_FALSE(a.quantile(0.5));
    duration_histogram empty;
    empty.add(a);
    empty.subtract(a);
    CHECK_FALSE(empty.quantile(0.5));
}

TEST_CASE("duration_histogram: bounds need enough durations")
{
    duration_histogram h;
    for (int i = 0; i < 458; ++i)
        h.add(1ms);
    CHECK_FALSE(h.quantile_high(0.99, 0.01));
    h.add(1ms);
    CHECK(h.quantile_high(0.99, 0.01));
    // The bounds are the ends of the steps that they are in.
    duration_histogram same;
    for (int i = 0; i < 5000; ++i)
        same.add(100ms);
    CHECK(*same.quantile_low(0.99, 0.01) <= 100ms);
    CHECK(*same.quantile_low(0.99, 0.01) > 98ms);
    CHECK(*same.quantile_high(0.99, 0.01) >= 100ms);
    CHECK(*same.quantile_high(0.99, 0.01) < 102ms);
    // Any duration at all is above the p99 once in a hundred times.
    duration_histogram one;
    CHECK_FALSE(one.quantile_low(0.99, 0.011));
    one.add(1s);
    CHECK(one.quantile_low(0.99, 0.011));
    CHECK_FALSE(one.quantile_low(0.99, 0.009));
}

TEST_CASE("duration_histogram: bounds of the p99 are wrong as seldom as they promise")
{
    constexpr int trials = 2000;
    constexpr double alpha = 0.05;
    double const truth = true_quantile_ms(0.99);
    int low_wrong = 0, high_wrong = 0;
    double width = 0;
    duration_histogram h;
    for (std::uint64_t t = 0; t < trials; ++t)
    {
        h.clear();
        for (std::uint64_t i = 0; i < 1000; ++i)
            h.add(drawn(t * 1000 + i));
        double const low = as_ms(*h.quantile_low(0.99, alpha)), high = as_ms(*h.quantile_high(0.99, alpha));
        low_wrong += low > truth;
        high_wrong += high < truth;
        width += (high - low) / truth / trials;
    }
    WARN("p99 of 1000 durations, bounds at 5 %: wrong below " << low_wrong << " and above " << high_wrong << " of "
                                                              << trials << " times, " << width << " of it wide");
    // Three standard deviations above what is promised
    CHECK(low_wrong <= trials * alpha + 30);
    CHECK(high_wrong <= trials * alpha + 30);
    // They would be of no use if they were never wrong.
    CHECK(low_wrong > 20);
    CHECK(high_wrong > 20);
    CHECK(width < 0.6);
}

TEST_CASE("outcome_window: counts what is in it")
{
    outcome_window w(60s);
    w.add(outcome::success, 10ms, start);
    w.add(outcome::success, {}, start + 1s);
    w.add(outcome::failure, 99s, start + 2s);
    w.add(outcome::limited, 1ms, start + 3s);
    w.add(outcome::neutral, 1ms, start + 4s);
    auto const& f = w.figures(start + 4s);
    CHECK(f.successes == 2);
    CHECK(f.failures == 1);
    CHECK(f.limited == 1);
    CHECK(f.neutral == 1);
    CHECK(f.counted() == 4);
    // Only successes that took a known time
    CHECK(f.took.count() == 1);
}

TEST_CASE("outcome_window: forgets a slice of a twelfth after the other")
{
    outcome_window w(60s);
    for (int s = 0; s < 60; ++s)
        w.add(outcome::success, std::chrono::milliseconds(s), start + s * 1s);
    CHECK(w.figures(start + 59s).successes == 60);
    CHECK(w.figures(start + 60s).successes == 55);
    CHECK(w.figures(start + 60s).took.count() == 55);
    CHECK(w.figures(start + 60s).took.quantile(0) >= duration(4900us));
    CHECK(w.figures(start + 94s).successes == 25);
    CHECK(w.figures(start + 114s).successes == 5);
    CHECK(w.figures(start + 115s).successes == 0);
    CHECK_FALSE(w.figures(start + 115s).took.quantile(0.5));
    w.add(outcome::failure, {}, start + 1000h);
    CHECK(w.figures(start + 1000h).failures == 1);
    w.clear();
    CHECK(w.figures(start + 1000h).counted() == 0);
}

TEST_CASE("outcome_window: time that runs backwards stands still, and far jumps do no harm")
{
    outcome_window w(1ns);
    std::uint64_t n = 0;
    for (auto const now : {steady_time::min(), start, start - 1h, steady_time(), steady_time::min()})
    {
        w.add(outcome::success, 1ms, now);
        n = w.figures(now).successes;
    }
    CHECK(n == 4);
    w.add(outcome::failure, {}, steady_time::max());
    CHECK(w.figures(start).failures == 1);
    CHECK(w.figures(start).successes == 0);
    outcome_window endless(duration::max());
    endless.add(outcome::success, 1ms, steady_time::min());
    endless.add(outcome::success, 1ms, start);
    CHECK(endless.figures(steady_time(1h)).successes >= 1);
}
