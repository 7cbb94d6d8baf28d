// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "observe/sliding_sum.hpp"

#include "catch.hpp"

#include <chrono>

using namespace std::chrono_literals;
using serin::sliding_sum;
using serin::steady_time;

namespace {

struct tally
{
    int n = 0;

    void subtract(tally const& other) { n -= other.n; }
    void clear() { n = 0; }
};

steady_time const start(1200s);

void add(sliding_sum<tally>& s, steady_time now, int n = 1)
{
    s.add(now, [n](tally& t) { t.n += n; });
}

} // namespace

TEST_CASE("sliding_sum: knows what happened within its length and forgets the rest")
{
    sliding_sum<tally> s(60s);
    CHECK(s.sum(start).n == 0);
    add(s, start, 3);
    add(s, start + 30s, 4);
    CHECK(s.sum(start + 30s).n == 7);
    CHECK(s.sum(start + 54s).n == 7);
    CHECK(s.sum(start + 60s).n == 4);
    CHECK(s.sum(start + 89s).n == 4);
    CHECK(s.sum(start + 90s).n == 0);
}

TEST_CASE("sliding_sum: a long silence empties it")
{
    sliding_sum<tally> s(60s);
    for (int i = 0; i < 60; ++i)
        add(s, start + i * 1s);
    CHECK(s.sum(start + 59s).n == 60);
    CHECK(s.sum(start + 24h).n == 0);
    add(s, start + 24h);
    CHECK(s.sum(start + 24h).n == 1);
}

TEST_CASE("sliding_sum: time that goes back counts as the latest")
{
    sliding_sum<tally> s(60s);
    add(s, start + 10s);
    add(s, start);
    CHECK(s.sum(start).n == 2);
    CHECK(s.sum(start + 69s).n == 2);
    CHECK(s.sum(start + 70s).n == 0);
}

TEST_CASE("sliding_sum: a length of nothing is a slice of a millisecond at least")
{
    sliding_sum<tally> s(0s);
    add(s, start);
    CHECK(s.sum(start).n == 1);
    CHECK(s.sum(start + 12ms).n == 0);
}
