// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/retry_budget.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using namespace std::chrono_literals;
using serin::retry_budget;
using serin::retry_params;
using serin::steady_time;

namespace {

steady_time const start = steady_time(1000s);

retry_params budget_of(double ratio, int per_second)
{
    retry_params params;
    params.budget_ratio = ratio;
    params.budget_per_second = per_second;
    return params;
}

int withdraw_all(retry_budget& b, steady_time now)
{
    int n = 0;
    while (n < 1'000'000 && b.withdraw(now))
        ++n;
    return n;
}

void deposit(retry_budget& b, int requests, steady_time now)
{
    for (int i = 0; i < requests; ++i)
        b.deposit(now);
}

} // namespace

TEST_CASE("retry_budget: 10 s worth of the floor are there from the start")
{
    retry_budget b{retry_params()};
    CHECK(b.balance(start) == 100);
    CHECK(withdraw_all(b, start) == 100);
    CHECK(b.balance(start) == 0);
    CHECK_FALSE(b.withdraw(start + 9999ms));
    CHECK(withdraw_all(b, start + 10s) == 100);
}

TEST_CASE("retry_budget: five requests pay for a retry")
{
    retry_budget b(budget_of(0.2, 0));
    CHECK_FALSE(b.withdraw(start));
    deposit(b, 4, start);
    CHECK_FALSE(b.withdraw(start));
    deposit(b, 1, start);
    CHECK(b.withdraw(start));
    CHECK_FALSE(b.withdraw(start));
    deposit(b, 1000, start);
    CHECK(withdraw_all(b, start) == 200);
}

TEST_CASE("retry_budget: fractions add up")
{
    retry_budget b(budget_of(0.001, 0));
    deposit(b, 999, start);
    CHECK_FALSE(b.withdraw(start));
    deposit(b, 1, start);
    CHECK(withdraw_all(b, start) == 1);

    // 1.001 * 1000 is a bit less than 1001.
    retry_budget uneven(budget_of(1.001, 0));
    deposit(uneven, 1000, start);
    CHECK(withdraw_all(uneven, start) == 1001);
}

TEST_CASE("retry_budget: the share of a request is spent within 10 s or never")
{
    retry_budget b(budget_of(1, 0));
    deposit(b, 3, start);
    deposit(b, 2, start + 4s);
    CHECK(b.balance(start + 9999ms) == 5);
    CHECK(b.balance(start + 10s) == 2);
    CHECK(b.balance(start + 13s) == 2);
    CHECK(b.balance(start + 14s) == 0);
}

TEST_CASE("retry_budget: a retry is forgotten after 10 s, the requests that paid for it before")
{
    retry_budget b(budget_of(1, 1));
    deposit(b, 5, start);
    CHECK(withdraw_all(b, start + 5s) == 15);
    CHECK(b.balance(start + 9s) == 0);
    CHECK(b.balance(start + 10s) == -5);
    deposit(b, 5, start + 10s);
    CHECK_FALSE(b.withdraw(start + 10s));
    CHECK(b.balance(start + 15s) == 15);
}

TEST_CASE("retry_budget: whoever asks all the time gets a fifth and ten per second")
{
    retry_budget b{retry_params()};
    std::vector<int> per_second(60, 0);
    for (int ms = 0; ms < 60'000; ms += 10)
    {
        steady_time const now = start + ms * 1ms;
        b.deposit(now);
        per_second[static_cast<std::size_t>(ms / 1000)] += withdraw_all(b, now);
    }
    int total = 0;
    for (std::size_t s = 0; s < per_second.size(); ++s)
    {
        total += per_second[s];
        if (s < 9)
            continue;
        int window = 0;
        for (std::size_t i = s - 9; i <= s; ++i)
            window += per_second[i];
        CAPTURE(s);
        CHECK(window == 300);
    }
    CHECK(total == 6 * 300);
}

TEST_CASE("retry_budget: time that runs backwards stands still")
{
    retry_budget b(budget_of(1, 0));
    deposit(b, 1, start);
    deposit(b, 1, start - 500s);
    deposit(b, 1, steady_time::min());
    CHECK(b.balance(start - 9s) == 3);
    CHECK(b.withdraw(start - 100s));
    CHECK(b.balance(start + 9s) == 2);
    CHECK(b.balance(start) == 2);
    CHECK(b.balance(start + 10s) == 0);
}

TEST_CASE("retry_budget: time that jumps far")
{
    retry_budget b(budget_of(1, 1));
    for (steady_time const now : {steady_time::min(), steady_time(-1ns), steady_time(), steady_time(1ns), start,
             start + 24h * 10000, steady_time::max()})
    {
        CAPTURE(now.time_since_epoch().count());
        deposit(b, 7, now);
        CHECK(withdraw_all(b, now) >= 7);
    }
    retry_budget negative(budget_of(1, 0));
    deposit(negative, 1, steady_time(-100s));
    CHECK(negative.balance(steady_time(-91s)) == 1);
    CHECK(negative.balance(steady_time(-90s)) == 0);
    retry_budget fresh(budget_of(1, 1));
    CHECK(withdraw_all(fresh, steady_time::min()) == 10);
    CHECK(withdraw_all(fresh, steady_time::max()) == 10);
}

TEST_CASE("retry_budget: senseless settings do no harm")
{
    using limits = std::numeric_limits<double>;
    for (double const ratio : {-1.0, -limits::infinity(), limits::quiet_NaN(), 0.0, 0.0001})
    {
        CAPTURE(ratio);
        retry_budget b(budget_of(ratio, -5));
        deposit(b, 100, start);
        CHECK_FALSE(b.withdraw(start));
    }
    retry_budget no_floor(budget_of(1, -5));
    deposit(no_floor, 3, start);
    CHECK(withdraw_all(no_floor, start) == 3);
    for (double const ratio : {1e6, 1e300, limits::infinity()})
    {
        retry_budget b(budget_of(ratio, std::numeric_limits<int>::max()));
        deposit(b, 100, start);
        CHECK(b.balance(start) == std::int64_t{std::numeric_limits<int>::max()} * 10 + 100'000);
        CHECK(b.withdraw(start));
    }
}
