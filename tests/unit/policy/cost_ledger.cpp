// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/cost_ledger.hpp"

#include "catch.hpp"

#include <chrono>
#include <limits>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using serin::budget_params;
using serin::cost_account;
using serin::cost_ledger;
using serin::one_dollar;
using serin::over_budget;
using serin::token_usage;

namespace {

// Noon of a day.
cost_ledger::date const noon = cost_ledger::date(std::chrono::days(20'000)) + 12h;

cost_account on(std::string_view upstream, std::string_view tag = {}, std::string_view asked_model = {})
{
    return {upstream, "m", "0123abcd", tag, asked_model};
}

budget_params budget(std::string name, serin::nano_dollars daily)
{
    budget_params b;
    b.name = std::move(name);
    b.daily = daily;
    return b;
}

token_usage some_tokens()
{
    token_usage u;
    u.prompt_tokens = 10;
    u.cached_tokens = 4;
    u.completion_tokens = 5;
    u.reasoning_tokens = 2;
    return u;
}

} // namespace

TEST_CASE("cost_ledger: amounts are booked by upstream, model, key and tag")
{
    cost_ledger l;
    l.book({"a", "m", "k1", "t", {}}, some_tokens(), 5, noon);
    l.book({"a", "m", "k1", "t", {}}, some_tokens(), 6, noon);
    l.book({"b", "m", "k1", "t", {}}, some_tokens(), 1, noon);
    l.book({"a", "n", "k1", "t", {}}, some_tokens(), 2, noon);
    l.book({"a", "m", "k2", "t", {}}, some_tokens(), 3, noon);
    l.book({"a", "m", "k1", "u", {}}, some_tokens(), 4, noon);

    auto const lines = l.report(noon).lines;
    REQUIRE(lines.size() == 5);
    CHECK(lines[0].upstream == "a");
    CHECK(lines[0].model == "m");
    CHECK(lines[0].key == "k1");
    CHECK(lines[0].tag == "t");
    CHECK(lines[0].attempts == 2);
    CHECK(lines[0].prompt_tokens == 20);
    CHECK(lines[0].cached_tokens == 8);
    CHECK(lines[0].completion_tokens == 10);
    CHECK(lines[0].reasoning_tokens == 4);
    CHECK(lines[0].cost == 11);
    CHECK(lines[1].tag == "u");
    CHECK(lines[2].key == "k2");
    CHECK(lines[3].model == "n");
    CHECK(lines[4].upstream == "b");
}

TEST_CASE("cost_ledger: tags that callers make up do not take memory without bound")
{
    cost_ledger l(10);
    for (int i = 0; i < 1000; ++i)
        l.book(on("a", std::to_string(i)), {}, 1, noon);
    for (int i = 0; i < 1000; ++i)
        l.book(on(std::to_string(i)), {}, 1, noon);
    auto const lines = l.report(noon).lines;
    CHECK(lines.size() <= 21);
    serin::nano_dollars sum = 0;
    for (auto const& line : lines)
        sum += line.cost;
    CHECK(sum == 2000);
    CHECK(lines[0].tag == "other");
}

TEST_CASE("cost_ledger: a budget warns once, refuses when it is used up, and begins anew the next day")
{
    cost_ledger l;
    l.set_budgets({budget("day", 100)});
    CHECK(l.book(on("a"), {}, 84, noon).empty());
    auto notices = l.book(on("a"), {}, 1, noon);
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].budget == "day");
    CHECK(notices[0].spent == 85);
    CHECK(notices[0].limit == 100);
    CHECK_FALSE(notices[0].refuses);
    CHECK(l.book(on("a"), {}, 14, noon).empty());
    CHECK_FALSE(l.forbids(on("a"), noon));

    notices = l.book(on("a"), {}, 1, noon);
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].refuses);
    REQUIRE(l.forbids(on("a"), noon));
    CHECK(l.forbids(on("a"), noon)->name == "day");
    CHECK(l.book(on("a"), {}, 50, noon).empty());
    CHECK(l.report(noon).budgets[0].spent == 150);
    CHECK(l.report(noon).budgets[0].refuses);

    CHECK(l.forbids(on("a"), noon + 11h + 59min));
    CHECK_FALSE(l.forbids(on("a"), noon + 12h));
    CHECK(l.report(noon + 12h).budgets[0].spent == 0);
    CHECK(l.book(on("a"), {}, 85, noon + 12h).size() == 1);
}

TEST_CASE("cost_ledger: a bill that leaps over both marks is one notice")
{
    cost_ledger l;
    l.set_budgets({budget("day", 100)});
    auto const notices = l.book(on("a"), {}, 1000, noon);
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].refuses);
    CHECK(l.book(on("a"), {}, 1000, noon).empty());
}

TEST_CASE("cost_ledger: a budget that only warns forbids nothing")
{
    cost_ledger l;
    auto b = budget("day", 100);
    b.when_over = over_budget::warn;
    l.set_budgets({b});
    auto const notices = l.book(on("a"), {}, 100, noon);
    REQUIRE(notices.size() == 1);
    CHECK_FALSE(notices[0].refuses);
    CHECK_FALSE(l.forbids(on("a"), noon));
}

TEST_CASE("cost_ledger: a budget counts what it is for")
{
    cost_ledger l;
    auto of_upstream = budget("of a", 10);
    of_upstream.upstream = "a";
    auto of_tag = budget("of t", 10);
    of_tag.tag = "t";
    auto of_model = budget("of fast", 10);
    of_model.model = "fast";
    l.set_budgets({of_upstream, of_tag, of_model});

    l.book(on("a"), {}, 10, noon);
    CHECK(l.forbids(on("a"), noon)->name == "of a");
    CHECK_FALSE(l.forbids(on("b"), noon));
    l.book(on("b", "t"), {}, 10, noon);
    CHECK(l.forbids(on("b", "t"), noon)->name == "of t");
    CHECK_FALSE(l.forbids(on("b", "u"), noon));
    l.book(on("b", {}, "fast"), {}, 10, noon);
    CHECK(l.forbids(on("c", {}, "fast"), noon)->name == "of fast");
    CHECK_FALSE(l.forbids(on("c", {}, "slow"), noon));
}

TEST_CASE("cost_ledger: a clock that is set back gives nobody his money back")
{
    cost_ledger l;
    l.set_budgets({budget("day", 100)});
    l.book(on("a"), {}, 100, noon);
    CHECK(l.forbids(on("a"), noon - 48h));
    CHECK(l.forbids(on("a"), noon));
}

TEST_CASE("cost_ledger: new budgets keep what was spent on those of the same name")
{
    cost_ledger l;
    l.set_budgets({budget("day", 100)});
    l.book(on("a"), {}, 90, noon);
    l.set_budgets({budget("day", 80), budget("new", 80)});
    REQUIRE(l.forbids(on("a"), noon));
    CHECK(l.forbids(on("a"), noon)->name == "day");
    l.set_budgets({budget("day", 1000)});
    CHECK_FALSE(l.forbids(on("a"), noon));
    CHECK(l.report(noon).budgets[0].spent == 90);
    CHECK(l.book(on("a"), {}, 760, noon).size() == 1);
}

TEST_CASE("cost_ledger: sums stop at the largest amount")
{
    constexpr auto most = std::numeric_limits<serin::nano_dollars>::max();
    cost_ledger l;
    l.set_budgets({budget("day", most)});
    l.book(on("a"), {}, most, noon);
    l.book(on("a"), {}, most, noon);
    CHECK(l.report(noon).lines[0].cost == most);
    CHECK(l.report(noon).budgets[0].spent == most);
}
