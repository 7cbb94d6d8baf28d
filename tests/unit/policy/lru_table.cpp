// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/lru_table.hpp"

#include "catch.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace {

using namespace std::chrono_literals;
using serin::lru_table;

constexpr serin::steady_time start{};
constexpr auto later = start + 1h;

lru_table::value text(std::string t)
{
    return std::make_shared<std::string const>(std::move(t));
}

std::string found(lru_table& table, std::string_view key, serin::steady_time now = start)
{
    auto const value = table.find(key, now);
    return value ? *value : "-";
}

constexpr std::size_t many = 1000;
constexpr std::size_t large = 1 << 20;

} // namespace

TEST_CASE("lru table: finds what was put under a key, and the newest of them")
{
    lru_table table(many, large);
    CHECK(found(table, "a") == "-");
    table.put("a", text("1"), later);
    table.put("b", text("2"), later);
    CHECK(found(table, "a") == "1");
    table.put("a", text("3"), later);
    CHECK(found(table, "a") == "3");
    CHECK(found(table, "b") == "2");
    CHECK(table.entries() == 2);
}

TEST_CASE("lru table: an entry is good until its time and not longer")
{
    lru_table table(many, large);
    table.put("a", text("1"), start + 10s);
    CHECK(found(table, "a", start + 10s - 1ns) == "1");
    CHECK(table.entries() == 1);
    CHECK(found(table, "a", start + 10s) == "-");
    CHECK(table.entries() == 0);
    CHECK(table.bytes() == 0);
    CHECK(table.evictions() == 0);
}

TEST_CASE("lru table: too many entries: the one that was not found for the longest time goes")
{
    lru_table table(3, large);
    for (auto const* key : {"a", "b", "c"})
        table.put(key, text(key), later);
    CHECK(found(table, "a") == "a");
    table.put("d", text("d"), later);
    CHECK(found(table, "b") == "-");
    CHECK(found(table, "a") == "a");
    CHECK(found(table, "c") == "c");
    CHECK(found(table, "d") == "d");
    CHECK(table.evictions() == 1);
}

TEST_CASE("lru table: never takes more bytes than it may, keys and bookkeeping included")
{
    constexpr std::size_t each = lru_table::overhead + 2 + 100;
    lru_table table(many, 5 * each);
    for (int i = 10; i < 60; ++i)
    {
        table.put(std::to_string(i), text(std::string(100, 'x')), later);
        CHECK(table.bytes() <= 5 * each);
    }
    CHECK(table.entries() == 5);
    CHECK(table.bytes() == 5 * each);
    CHECK(table.evictions() == 45);

    // A large one makes as many go as it needs.
    table.put("60", text(std::string(100 + 2 * each, 'x')), later);
    CHECK(table.entries() == 3);
    CHECK(found(table, "59") != "-");
    CHECK(found(table, "57") == "-");
}

TEST_CASE("lru table: what is too large for all of it is not kept, and nothing goes for it")
{
    lru_table table(many, 1000);
    table.put("a", text("1"), later);
    table.put("b", text(std::string(1000, 'x')), later);
    CHECK(found(table, "b") == "-");
    CHECK(found(table, "a") == "1");
    // An older one under the same key is not the answer either.
    table.put("a", text(std::string(1000, 'x')), later);
    CHECK(found(table, "a") == "-");
    CHECK(table.bytes() == 0);
}

TEST_CASE("lru table: who has found an entry keeps it when it goes")
{
    lru_table table(1, large);
    table.put("a", text("1"), later);
    auto const kept = table.find("a", start);
    table.put("b", text("2"), later);
    CHECK(*kept == "1");
}
