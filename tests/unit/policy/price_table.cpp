// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/price_table.hpp>

#include "catch.hpp"

#include <fstream>
#include <iterator>
#include <string>

using serin::cost_of;
using serin::one_dollar;
using serin::price_table;

namespace {

std::string problem_of(std::string const& json)
{
    price_table table;
    std::string why;
    CHECK(table.read(json, why) == serin::errc::invalid_argument);
    CHECK(table.empty());
    return why;
}

} // namespace

TEST_CASE("price_table: the bills of a month, for 30 million tokens each way")
{
    std::ifstream file(SERIN_SOURCE_DIR "/examples/prices.json");
    std::string const json(std::istreambuf_iterator<char>(file), {});
    price_table table;
    std::string why;
    REQUIRE_FALSE(table.read(json, why));

    auto const bill = [&](char const* model) {
        serin::price const* p = table.find(model);
        REQUIRE(p);
        serin::token_usage u;
        u.prompt_tokens = u.completion_tokens = 30'000'000;
        return serin::to_dollars(cost_of(u, *p));
    };
    CHECK(bill("gpt-4.1") == "480.00");
    CHECK(bill("claude-sonnet-4.5") == "900.00");
    CHECK(bill("deepseek-v3.2") == "25.20");
    CHECK(bill("gemini-2.5-flash") == "150.00");
}

TEST_CASE("price_table: a bill is the sum of its calls to the last nano-dollar")
{
    price_table table;
    std::string why;
    REQUIRE_FALSE(table.read(R"({"m": {"input": 0.42, "output": 0.42}})", why));
    serin::token_usage u;
    u.prompt_tokens = 512;
    u.completion_tokens = 256;
    serin::nano_dollars sum = 0;
    for (int i = 0; i < 1000; ++i)
        sum = serin::add_costs(sum, cost_of(u, *table.find("m")));
    CHECK(serin::to_dollars(sum) == "0.32256");
}

TEST_CASE("price_table: all four prices are read, and two may be missing")
{
    price_table table;
    std::string why;
    REQUIRE_FALSE(table.read(
        R"({"a": {"input": 2, "cached_input": 0.5, "output": 8, "reasoning": 9}, "b": {"input": 1, "output": 0}})",
        why));
    serin::price const a = *table.find("a");
    CHECK(a.input == 2 * one_dollar);
    CHECK(a.cached_input == one_dollar / 2);
    CHECK(a.output == 8 * one_dollar);
    CHECK(a.reasoning == 9 * one_dollar);
    CHECK_FALSE(table.find("b")->cached_input);
    CHECK_FALSE(table.find("b")->reasoning);
    CHECK_FALSE(table.find("c"));
}

TEST_CASE("price_table: a later text adds to an earlier one and replaces what it names again")
{
    price_table table;
    std::string why;
    REQUIRE_FALSE(table.read(R"({"a": {"input": 1, "output": 1}, "b": {"input": 1, "output": 1}})", why));
    REQUIRE_FALSE(table.read(R"({"b": {"input": 2, "output": 2}})", why));
    CHECK(table.find("a")->input == one_dollar);
    CHECK(table.find("b")->input == 2 * one_dollar);
}

TEST_CASE("price_table: what is wrong is named and changes nothing")
{
    CHECK(problem_of("[]") == "the prices are no JSON object");
    CHECK(problem_of("{") == "the prices are no JSON object");
    CHECK(problem_of(R"({"a": 1})") == "the price of \"a\" is not an object");
    CHECK(problem_of(R"({"a": {"input": 1}})") == "the price of \"a\" lacks \"input\" or \"output\"");
    CHECK(
        problem_of(R"({"a": {"input": 1, "output": 1, "x": 1}})") == "the price of \"a\" has the unknown member \"x\"");
    for (auto const* bad : {"-1", "\"1\"", "1e999", "null", "1000001"})
        CHECK(problem_of(std::string(R"({"a": {"output": 1, "input": )") + bad + "}}") ==
              "the price of \"a\" has no number of dollars from 0 to a million for \"input\"");
}
