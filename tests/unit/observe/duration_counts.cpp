// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "observe/duration_counts.hpp"

#include "catch.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <vector>

using namespace std::chrono_literals;
using serin::duration_counts;

namespace {

using duration = duration_counts::duration;

double off_by(duration found, duration wanted)
{
    return std::abs(std::chrono::duration<double>(found) / std::chrono::duration<double>(wanted) - 1);
}

} // namespace

TEST_CASE("duration_counts: nothing has no quantile")
{
    duration_counts c;
    CHECK(c.count() == 0);
    CHECK_FALSE(c.quantile(0.5));
}

TEST_CASE("duration_counts: a quantile is that of the sorted durations, to 1.8 %")
{
    std::vector<duration> all;
    std::uint64_t state = 7;
    duration_counts c;
    for (int i = 0; i < 10'000; ++i)
    {
        state = state * 6364136223846793005u + 1442695040888963407u;
        // From 200 microseconds to 20 minutes, as many in each decade.
        double const exponent = static_cast<double>(state >> 40) / static_cast<double>(1 << 24) * 6.7;
        all.push_back(
            std::chrono::duration_cast<duration>(std::chrono::duration<double>(2e-4 * std::pow(10, exponent))));
        c.add(all.back());
    }
    std::ranges::sort(all);
    for (double const q : {0.01, 0.5, 0.9, 0.99, 1.0})
    {
        auto const rank = static_cast<std::size_t>(std::ceil(q * 10'000 - 1e-6));
        CHECK(off_by(*c.quantile(q), all[rank - 1]) < 0.018);
    }
}

TEST_CASE("duration_counts: the p99 of a hundred is the 99th")
{
    duration_counts c;
    for (int i = 0; i < 99; ++i)
        c.add(10ms);
    c.add(1s);
    CHECK(off_by(*c.quantile(0.99), 10ms) < 0.018);
    c.add(1s);
    CHECK(off_by(*c.quantile(0.99), 1s) < 0.018);
}

TEST_CASE("duration_counts: what is beyond the steps counts as the first or the last")
{
    duration_counts c;
    c.add(0ns);
    c.add(-5s);
    CHECK(c.quantile(1) == 100us);
    c.add(48h);
    CHECK(c.quantile(1) == 1h);
    CHECK(c.count() == 3);
}

TEST_CASE("duration_counts: what was added can be taken away")
{
    duration_counts sum, slice, empty;
    sum.add(1s);
    sum.add(10ms);
    slice.add(1s);
    sum.subtract(empty);
    CHECK(sum.count() == 2);
    sum.subtract(slice);
    CHECK(sum.count() == 1);
    CHECK(off_by(*sum.quantile(1), 10ms) < 0.018);
    sum.clear();
    CHECK_FALSE(sum.quantile(1));
    sum.add(2s);
    CHECK(off_by(*sum.quantile(1), 2s) < 0.018);
}
