// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/redis/reconnect.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstdint>

namespace {

using namespace std::chrono_literals;
constexpr serin::steady_time start{};

} // namespace

TEST_CASE("reconnect: a connection that worked is made again at once, but not over and over")
{
    serin::reconnect r(100ms, 10s);
    CHECK(r.may_connect(start));
    CHECK(r.failed(start, 0) == 0s);
    CHECK(r.may_connect(start));
    CHECK(r.failed(start, 0) == 100ms);
    CHECK_FALSE(r.may_connect(start + 100ms - 1ns));
    CHECK(r.may_connect(start + 100ms));
    r.works();
    CHECK(r.failed(start, 0) == 0s);
}

TEST_CASE("reconnect: pauses double up to the longest, and differ by up to a half")
{
    serin::reconnect r(100ms, 1s);
    for (auto const expected : {0ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms})
        CHECK(r.failed(start, 0) == expected);
    for (std::uint64_t random = 1; random != 0 && random < (std::uint64_t{1} << 62); random *= 3)
    {
        auto const pause = r.failed(start, random);
        CHECK(pause >= 1s);
        CHECK(pause <= 1500ms);
    }
}

TEST_CASE("reconnect: without a pause it is made again at once")
{
    serin::reconnect r(0ms, 0ms);
    for (int i = 0; i < 5; ++i)
        CHECK(r.failed(start, ~std::uint64_t{0}) == 0s);
}
