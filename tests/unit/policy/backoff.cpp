// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/backoff.hpp"

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>

using namespace std::chrono_literals;
using serin::backoff;
using serin::delay_before_retry;
using serin::retry_params;

namespace {

using duration = std::chrono::steady_clock::duration;

// A random value that makes the longest delay, if that is `limit`; the one after it makes none.
std::uint64_t full(duration limit)
{
    return static_cast<std::uint64_t>(limit.count());
}

} // namespace

TEST_CASE("backoff: the limit doubles up to the longest delay")
{
    retry_params const params;
    duration const limits[] = {500ms, 1s, 2s, 4s, 8s, 8s, 8s};
    for (int n = 0; n < 7; ++n)
    {
        CAPTURE(n);
        CHECK(backoff(params, n, 0) == 0s);
        CHECK(backoff(params, n, full(limits[n])) == limits[n]);
        CHECK(backoff(params, n, full(limits[n]) + 1) == 0s);
    }
}

TEST_CASE("backoff: a limit that the doubling does not hit")
{
    retry_params params;
    params.base_delay = 3s;
    params.max_delay = 7s;
    CHECK(backoff(params, 0, full(3s)) == 3s);
    CHECK(backoff(params, 1, full(6s)) == 6s);
    CHECK(backoff(params, 2, full(7s)) == 7s);
    CHECK(backoff(params, 2, full(7s) + 1) == 0s);
    params.base_delay = 9s;
    CHECK(backoff(params, 0, full(7s)) == 7s);
    CHECK(backoff(params, 0, full(7s) + 1) == 0s);
    params.base_delay = 3ns;
    params.max_delay = 7ns;
    CHECK(backoff(params, 1, 6) == 6ns);
    CHECK(backoff(params, 1, 7) == 0ns);
}

TEST_CASE("backoff: every part of the range is as likely as any other")
{
    retry_params const params;
    std::mt19937_64 random(7);
    std::array<int, 16> counts{};
    int const draws = 16000;
    for (int i = 0; i < draws; ++i)
    {
        auto const delay = backoff(params, 2, random());
        REQUIRE(delay >= 0s);
        REQUIRE(delay <= 2s);
        ++counts[std::min<std::size_t>(static_cast<std::size_t>(delay / 125ms), 15)];
    }
    // 1000 each; the standard deviation is 31.
    for (int const count : counts)
    {
        CHECK(count > 840);
        CHECK(count < 1160);
    }
}

TEST_CASE("backoff: nothing overflows")
{
    std::mt19937_64 random(7);
    int const rounds[] = {
        std::numeric_limits<int>::min(), -1, 0, 1, 31, 32, 61, 62, 63, 64, 1000, std::numeric_limits<int>::max()};
    duration const durations[] = {duration::min(), -1ns, 0ns, 1ns, 3ns, 500ms, duration::max() / 2, duration::max()};
    for (int const n : rounds)
        for (duration const base : durations)
            for (duration const max : durations)
            {
                CAPTURE(n, base.count(), max.count());
                retry_params params;
                params.base_delay = base;
                params.max_delay = max;
                duration const highest = std::max(max, duration::zero());
                for (std::uint64_t const r : {std::uint64_t{0}, full(highest), ~std::uint64_t{0}, random()})
                {
                    duration const delay = backoff(params, n, r);
                    CHECK(delay >= 0ns);
                    CHECK(delay <= highest);
                    for (duration const rest : durations)
                        CHECK(delay_before_retry(params, n, rest, r) >= std::max(rest, delay));
                }
            }
    retry_params params;
    params.base_delay = 1ns;
    params.max_delay = duration::max();
    CHECK(backoff(params, 40, std::uint64_t{1} << 40) == duration(std::int64_t{1} << 40));
    CHECK(backoff(params, 62, std::uint64_t{1} << 62) == duration(std::int64_t{1} << 62));
    params.base_delay = 0ns;
    CHECK(backoff(params, 1000, ~std::uint64_t{0}) == 0ns);
}

TEST_CASE("delay_before_retry: the jitter comes on top of what the server asks for")
{
    retry_params const params;
    CHECK(delay_before_retry(params, 0, 0s, full(500ms)) == 500ms);
    CHECK(delay_before_retry(params, 0, 20s, 0) == 20s);
    CHECK(delay_before_retry(params, 0, 20s, full(500ms)) == 20s + 500ms);
    CHECK(delay_before_retry(params, 3, 20s, full(4s)) == 24s);
    CHECK(delay_before_retry(params, 0, -20s, full(500ms)) == 500ms);
    CHECK(delay_before_retry(params, 0, duration::max(), full(500ms)) == duration::max());
}
