// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/cost.hpp>

#include "catch.hpp"

#include <cstdint>
#include <limits>

using serin::cost_of;
using serin::nano_dollars;
using serin::one_dollar;
using serin::price;
using serin::token_usage;

namespace {

token_usage tokens(std::uint64_t prompt, std::uint64_t completion)
{
    token_usage u;
    u.prompt_tokens = prompt;
    u.completion_tokens = completion;
    u.total_tokens = prompt + completion;
    return u;
}

price same_both_ways(nano_dollars for_a_million)
{
    price p;
    p.input = p.output = for_a_million;
    return p;
}

} // namespace

TEST_CASE("cost: a token is paid for once")
{
    price p;
    p.input = 2 * one_dollar;
    p.output = 8 * one_dollar;
    CHECK(cost_of(tokens(1'000'000, 0), p) == 2 * one_dollar);
    CHECK(cost_of(tokens(0, 1'000'000), p) == 8 * one_dollar);
    CHECK(cost_of(tokens(1, 0), p) == 2000);
    CHECK(cost_of(tokens(1, 1), p) == 10000);
    CHECK(cost_of(token_usage(), p) == 0);
}

TEST_CASE("cost: cached tokens are paid for once, at their own price or at that of the prompt")
{
    price p = same_both_ways(2 * one_dollar);
    token_usage u = tokens(1000, 100);
    u.cached_tokens = 600;
    CHECK(cost_of(u, p) == 1100 * 2000);
    p.cached_input = one_dollar / 2;
    CHECK(cost_of(u, p) == 400 * 2000 + 600 * 500 + 100 * 2000);
    p.cached_input = 0;
    CHECK(cost_of(u, p) == 500 * 2000);
}

TEST_CASE("cost: more cached tokens than the prompt has are no more than the prompt")
{
    price p = same_both_ways(2 * one_dollar);
    p.cached_input = one_dollar;
    token_usage u = tokens(100, 0);
    u.cached_tokens = 1000;
    CHECK(cost_of(u, p) == 100 * 1000);
}

TEST_CASE("cost: reasoning is part of the answer, at its own price or at that of the answer")
{
    price p = same_both_ways(2 * one_dollar);
    token_usage u = tokens(0, 100);
    u.reasoning_tokens = 60;
    CHECK(cost_of(u, p) == 100 * 2000);
    p.reasoning = 3 * one_dollar;
    CHECK(cost_of(u, p) == 40 * 2000 + 60 * 3000);
}

TEST_CASE("cost: reasoning that a server counts beside the completion is paid for on top")
{
    price const p = same_both_ways(2 * one_dollar);
    token_usage u = tokens(10, 100);
    u.reasoning_tokens = 60;
    u.total_tokens = 170;
    CHECK(cost_of(u, p) == 170 * 2000);

    u = tokens(0, 10);
    u.reasoning_tokens = 60;
    CHECK(cost_of(u, p) == 70 * 2000);
}

TEST_CASE("cost: fractions of a nano-dollar are rounded once for an answer")
{
    price p;
    p.input = 300'000; // 0.3 nano-dollars a token
    p.output = 300'000;
    CHECK(cost_of(tokens(1, 0), p) == 0);
    CHECK(cost_of(tokens(1, 1), p) == 1);
    CHECK(cost_of(tokens(5, 0), p) == 2);
}

TEST_CASE("cost: hostile counts and prices overflow nothing")
{
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    constexpr auto highest = std::numeric_limits<nano_dollars>::max();
    token_usage u;
    u.prompt_tokens = u.completion_tokens = u.total_tokens = u.cached_tokens = u.reasoning_tokens = most;
    CHECK(cost_of(u, same_both_ways(highest)) == highest);
    CHECK(cost_of(u, same_both_ways(-highest)) == 0);
    CHECK(cost_of(u, price()) == 0);
    CHECK(serin::add_costs(highest, 1) == highest);
    CHECK(serin::add_costs(highest - 1, 1) == highest);
}

TEST_CASE("cost: nothing is known of a price that is all zero")
{
    CHECK(is_free(price()));
    price p;
    p.reasoning = 1;
    CHECK_FALSE(is_free(p));
}

TEST_CASE("cost: amounts as dollars keep every decimal that matters")
{
    CHECK(serin::to_dollars(0) == "0.00");
    CHECK(serin::to_dollars(one_dollar) == "1.00");
    CHECK(serin::to_dollars(12 * one_dollar + one_dollar / 2) == "12.50");
    CHECK(serin::to_dollars(1) == "0.000000001");
    CHECK(serin::to_dollars(420'000'000) == "0.42");
    CHECK(serin::to_dollars(-1'230'000'000) == "-1.23");
}
