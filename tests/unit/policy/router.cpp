// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/router.hpp"

#include "policy/stable_hash.hpp"

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

using serin::route_facts;
using serin::route_policy;
using serin::route_table;

namespace {

constexpr std::size_t picks = 1'000'000;

// splitmix64
class seeded
{
public:
    explicit seeded(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t operator()() noexcept { return serin::mix_bits(state_ += 0x9e3779b97f4a7c15u); }

private:
    std::uint64_t state_;
};

std::vector<route_table::target> targets_of(std::vector<unsigned> const& weights)
{
    std::vector<route_table::target> out;
    for (std::size_t i = 0; i < weights.size(); ++i)
        out.push_back({"upstream-" + std::to_string(i), weights[i], 0});
    return out;
}

// The share of the picks that each target gets; the last one is that of no target.
std::vector<double> shares_of(route_table const& table, std::vector<route_facts> const& facts, std::size_t n = picks)
{
    seeded random(7);
    std::vector<std::size_t> count(table.size() + 1);
    for (std::size_t i = 0; i < n; ++i)
        ++count[table.pick(facts, {}, random()).value_or(table.size())];
    std::vector<double> out;
    for (std::size_t const c : count)
        out.push_back(static_cast<double>(c) / static_cast<double>(n));
    return out;
}

void check_shares(std::vector<double> const& shares, std::vector<double> const& expected, double within = 0.002)
{
    REQUIRE(shares.size() == expected.size() + 1);
    for (std::size_t i = 0; i < expected.size(); ++i)
    {
        CAPTURE(i, shares[i], expected[i]);
        CHECK(std::abs(shares[i] - expected[i]) <= within);
        CHECK((shares[i] == 0) == (expected[i] == 0));
    }
    CHECK(shares.back() == 0);
}

std::string key_of(std::size_t i)
{
    return "user " + std::to_string(i);
}

std::vector<std::size_t> sticky_picks(route_table const& table, std::vector<route_facts> const& facts = {})
{
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < 100'000; ++i)
        out.push_back(table.pick(facts, key_of(i), i).value());
    return out;
}

double share_of(std::vector<std::size_t> const& picked, std::size_t target)
{
    return static_cast<double>(std::count(picked.begin(), picked.end(), target)) / static_cast<double>(picked.size());
}

} // namespace

TEST_CASE("route_table: a million picks are as the weights say, to 0.2 percentage points")
{
    std::vector<std::vector<unsigned>> const cases = {{80, 20}, {1}, {1, 1, 1}, {997, 2, 1}, {0, 3, 0, 1},
        {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {4'294'967'295, 4'294'967'295, 1}, {19, 81, 333, 7, 1250}};
    for (auto const& weights : cases)
    {
        double const total = std::accumulate(weights.begin(), weights.end(), 0.0);
        std::vector<double> expected;
        for (unsigned const w : weights)
            expected.push_back(static_cast<double>(w) / total);
        if (weights.back() == 1 && total > 1e9)
            expected.back() = 0; // One in eight billion
        CAPTURE(weights);
        check_shares(shares_of(route_table(route_policy::weighted, targets_of(weights)), {}), expected);
    }
}

TEST_CASE("alias_table: weights are counted out, not rounded to shares")
{
    // Every random number stands for itself: 2^64 * 1/3 is where the second column begins.
    serin::alias_table const thirds(std::vector<unsigned>{1, 1, 1});
    constexpr std::uint64_t third = std::numeric_limits<std::uint64_t>::max() / 3;
    CHECK(thirds.draw(0) == 0);
    CHECK(thirds.draw(third) == 0);
    CHECK(thirds.draw(third + 1) == 1);
    CHECK(thirds.draw(2 * third + 1) == 2);
    CHECK(thirds.draw(std::numeric_limits<std::uint64_t>::max()) == 2);

    serin::alias_table const one_in_four_billion(std::vector<unsigned>{4'294'967'295, 1});
    seeded random(1);
    std::size_t rare = 0;
    for (std::size_t i = 0; i < picks; ++i)
        rare += one_in_four_billion.draw(random());
    CHECK(rare == 0);
    // The second column is all but two parts of 2^32 the first one's.
    CHECK(one_in_four_billion.draw(std::uint64_t{1} << 63) == 1);
    CHECK(one_in_four_billion.draw((std::uint64_t{1} << 63) + (std::uint64_t{1} << 32)) == 0);
}

TEST_CASE("route_table: those that are left share the rest by their weights")
{
    route_table const table(route_policy::weighted, targets_of({50, 30, 15, 5}));
    std::vector<route_facts> facts(4);
    facts[0].available = false;
    check_shares(shares_of(table, facts), {0, 0.6, 0.3, 0.1});
    facts[2].tried = true;
    check_shares(shares_of(table, facts), {0, 6.0 / 7, 0, 1.0 / 7});
    facts[1].available = facts[3].available = false;
    CHECK_FALSE(table.pick(facts, {}, 1));
}

TEST_CASE("route_table: weight 0 is never picked, but if all are zero the first one is")
{
    for (auto const policy : {route_policy::weighted, route_policy::priority, route_policy::cheapest,
             route_policy::latency, route_policy::least_busy, route_policy::sticky})
    {
        CAPTURE(static_cast<int>(policy));
        std::vector<route_facts> const facts(3);
        check_shares(shares_of(route_table(policy, targets_of({0, 1, 0})), facts, 1000), {0, 1, 0});
        check_shares(shares_of(route_table(policy, targets_of({0, 0, 0})), facts, 1000), {1, 0, 0});
        CHECK(route_table(policy, targets_of({0, 1, 0})).pick(facts, "key", 5) == 1u);
    }
}

TEST_CASE("route_table: the lowest priority number first, by weight within it")
{
    auto targets = targets_of({1, 30, 70, 5});
    targets[0].priority = 2;
    targets[1].priority = -1;
    targets[2].priority = -1;
    targets[3].priority = 0;
    route_table const table(route_policy::priority, targets);
    std::vector<route_facts> facts(4);
    check_shares(shares_of(table, {}), {0, 0.3, 0.7, 0});
    check_shares(shares_of(table, facts), {0, 0.3, 0.7, 0});
    facts[2].available = false;
    check_shares(shares_of(table, facts, 1000), {0, 1, 0, 0});
    facts[1].tried = true;
    check_shares(shares_of(table, facts, 1000), {0, 0, 0, 1});
    facts[3].tried = true;
    check_shares(shares_of(table, facts, 1000), {1, 0, 0, 0});
}

TEST_CASE("route_table: the cheapest for the request, by weight among equals")
{
    route_table const table(route_policy::cheapest, targets_of({1, 1, 3}));
    std::vector<route_facts> facts(3);
    facts[0].price = 0.0042;
    facts[1].price = 0.0025;
    facts[2].price = 0.0025;
    check_shares(shares_of(table, facts), {0, 0.25, 0.75});
    facts[0].price = 0.001;
    check_shares(shares_of(table, facts, 1000), {1, 0, 0});
    facts[0].available = false;
    facts[2].price = 0.003;
    check_shares(shares_of(table, facts, 1000), {0, 1, 0});
    facts[1].price = std::numeric_limits<double>::quiet_NaN();
    CHECK(table.pick(facts, {}, 3));
}

TEST_CASE("route_table: the least busy, by weight among equals")
{
    route_table const table(route_policy::least_busy, targets_of({1, 1, 3}));
    std::vector<route_facts> facts(3);
    facts[0].in_flight = 9;
    facts[1].in_flight = 4;
    facts[2].in_flight = 4;
    check_shares(shares_of(table, facts), {0, 0.25, 0.75});
    facts[1].tried = true;
    facts[2].in_flight = 10;
    check_shares(shares_of(table, facts, 1000), {1, 0, 0});
}

TEST_CASE("route_table: the quicker of two")
{
    route_table const table(route_policy::latency, targets_of({1, 1, 1}));
    std::vector<route_facts> facts(3);
    facts[0].latency = 3;
    facts[1].latency = 2;
    facts[2].latency = 1;
    // Of the three pairs the last one wins two, the middle one wins one.
    check_shares(shares_of(table, facts), {0, 1.0 / 3, 2.0 / 3});
    // Twice as busy as quick: 3 against 4 and 4.
    facts[1].in_flight = 1;
    facts[2].in_flight = 3;
    CHECK(shares_of(table, facts)[0] > 0.66);
    facts[0].available = false;
    facts[2].in_flight = 0;
    check_shares(shares_of(table, facts, 1000), {0, 0, 1});
    facts[2].tried = true;
    check_shares(shares_of(table, facts, 1000), {0, 1, 0});
}

TEST_CASE("route_table: sticky keys are shared out by the weights and stay where they are")
{
    route_table const table(route_policy::sticky, targets_of({80, 15, 5}));
    auto const picked = sticky_picks(table);
    CHECK(sticky_picks(table) == picked);
    CHECK(std::abs(share_of(picked, 0) - 0.80) < 0.005);
    CHECK(std::abs(share_of(picked, 1) - 0.15) < 0.005);
    CHECK(std::abs(share_of(picked, 2) - 0.05) < 0.005);
    // Without a key it is a matter of chance.
    check_shares(shares_of(table, {}), {0.80, 0.15, 0.05});
}

TEST_CASE("route_table: a million sticky keys are shared out as the weights say, to 0.2 percentage points")
{
    for (auto const& weights :
        std::vector<std::vector<unsigned>>{{80, 20}, {1, 1, 1}, {997, 2, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}})
    {
        route_table const table(route_policy::sticky, targets_of(weights));
        double const total = std::accumulate(weights.begin(), weights.end(), 0.0);
        std::vector<std::size_t> count(weights.size());
        for (std::size_t i = 0; i < picks; ++i)
            ++count[table.pick({}, key_of(i), i).value()];
        for (std::size_t i = 0; i < weights.size(); ++i)
            CHECK(std::abs(static_cast<double>(count[i]) / picks - weights[i] / total) < 0.002);
    }
}

TEST_CASE("route_table: a changed weight moves only the keys that it gains or loses")
{
    auto const before = sticky_picks(route_table(route_policy::sticky, targets_of({80, 15, 5})));
    auto const more = sticky_picks(route_table(route_policy::sticky, targets_of({80, 15, 30})));
    auto const less = sticky_picks(route_table(route_policy::sticky, targets_of({20, 15, 5})));
    std::size_t gained = 0, lost = 0, other = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
    {
        if (more[i] != before[i])
            ++(more[i] == 2 ? gained : other);
        if (less[i] != before[i])
            ++(before[i] == 0 ? lost : other);
    }
    CHECK(other == 0);
    // From 5 of 100 to 30 of 125, and from 80 of 100 to 20 of 40.
    CHECK(std::abs(static_cast<double>(gained) / 100'000 - (30.0 / 125 - 0.05)) < 0.005);
    CHECK(std::abs(static_cast<double>(lost) / 100'000 - 0.3) < 0.005);
}

TEST_CASE("route_table: keys of an upstream that is out are shared out, the others stay")
{
    route_table const table(route_policy::sticky, targets_of({2, 1, 1}));
    std::vector<route_facts> facts(3);
    facts[0].available = false;
    auto const before = sticky_picks(table);
    auto const during = sticky_picks(table, facts);
    std::size_t moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        moved += before[i] != 0 && during[i] != before[i];
    CHECK(moved == 0);
    CHECK(std::abs(share_of(during, 1) - 0.5) < 0.01);
}

TEST_CASE("route_table: keys follow names, not positions")
{
    auto targets = targets_of({3, 2, 1});
    auto const before = sticky_picks(route_table(route_policy::sticky, targets));
    std::swap(targets[0], targets[2]);
    auto const after = sticky_picks(route_table(route_policy::sticky, targets));
    std::size_t moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        moved += after[i] != 2 - before[i];
    CHECK(moved == 0);
}

TEST_CASE("route_table: who may be picked")
{
    route_table const plain(route_policy::weighted, targets_of({0, 2}));
    CHECK_FALSE(plain.may_be_picked(0));
    CHECK(plain.may_be_picked(1));
    CHECK(route_table(route_policy::weighted, targets_of({0, 0})).may_be_picked(0));
    for (double const share : {0.0, 0.5})
    {
        route_table const split(route_policy::weighted, targets_of({1, 1}), route_table::split{1, share, false});
        CHECK(split.may_be_picked(0));
        CHECK(split.may_be_picked(1) == (share > 0));
    }
}

TEST_CASE("route_policy: names and back")
{
    for (auto const policy : {route_policy::weighted, route_policy::priority, route_policy::cheapest,
             route_policy::latency, route_policy::least_busy, route_policy::sticky})
        CHECK(serin::route_policy_of(serin::route_policy_name(policy)) == policy);
    CHECK(serin::route_policy_name(route_policy::least_busy) == "least_busy");
    CHECK_FALSE(serin::route_policy_of("least-busy"));
    CHECK_FALSE(serin::route_policy_of(""));
}

TEST_CASE("stable_hash: the same on every machine")
{
    // The first output of splitmix64 for the seed 0; the others were computed by another program.
    CHECK(serin::mix_bits(0x9e3779b97f4a7c15u) == 0xe220a8397b1dcdafu);
    CHECK(serin::stable_hash("") == 0x8932c885a3fe960eu);
    CHECK(serin::stable_hash("a") == 0x4ddbba3d064cada6u);
    CHECK(serin::stable_hash("12345678") == 0xa6340bd2aa01c139u);
    CHECK(serin::stable_hash("upstream-1\xc3\xa9") == 0x956ca91222748db6u);
    CHECK(serin::stable_hash("0123456789abcdef") == 0xde1975f3bf1ba22eu);
    CHECK(serin::stable_hash("a") != serin::stable_hash(std::string_view("a\0", 2)));
    CHECK(serin::stable_hash(1, 2) != serin::stable_hash(2, 1));
    CHECK(serin::unit_interval(0) > 0);
    CHECK(serin::unit_interval(std::numeric_limits<std::uint64_t>::max()) < 1);
}

TEST_CASE("route_table: a candidate gets its share, the others share the rest by their weights")
{
    for (double const share : {0.10, 0.305, 0.5, 1.0})
    {
        CAPTURE(share);
        route_table const table(route_policy::weighted, targets_of({3, 77, 1}), route_table::split{1, share, false});
        check_shares(shares_of(table, {}), {(1 - share) * 0.75, share, (1 - share) * 0.25});
    }
}

TEST_CASE("route_table: the candidate's share holds under every policy")
{
    auto targets = targets_of({1, 1, 0});
    targets[1].priority = 1;
    std::vector<route_facts> facts(3);
    facts[0] = {true, false, 1.0, 1.0, 1};
    facts[1] = {true, false, 2.0, 2.0, 2};
    facts[2] = {true, false, 9.0, 9.0, 9};
    for (auto const policy :
        {route_policy::priority, route_policy::cheapest, route_policy::latency, route_policy::least_busy})
    {
        CAPTURE(static_cast<int>(policy));
        route_table const table(policy, targets, route_table::split{2, 0.25, false});
        check_shares(shares_of(table, facts), {0.75, 0, 0.25});
    }
}

TEST_CASE("route_table: the candidate and the others stand in for each other, but not at 0 %")
{
    std::vector<route_facts> only_candidate(2), only_other(2);
    only_candidate[0].available = false;
    only_other[1].tried = true;
    for (double const share : {0.0, 0.1, 1.0})
    {
        CAPTURE(share);
        route_table const table(route_policy::weighted, targets_of({1, 1}), route_table::split{1, share, false});
        check_shares(shares_of(table, only_other, 1000), {1, 0});
        if (share > 0)
            check_shares(shares_of(table, only_candidate, 1000), {0, 1});
        else
            CHECK_FALSE(table.pick(only_candidate, {}, 1));
    }
    route_table const none(route_policy::weighted, targets_of({1, 1}), route_table::split{1, 0, false});
    check_shares(shares_of(none, {}, 1000), {1, 0});
    route_table const alone(route_policy::weighted, targets_of({1}), route_table::split{0, 0.1, false});
    check_shares(shares_of(alone, {}, 1000), {1});
}

TEST_CASE("route_table: a sticky candidate keeps its keys as its share grows")
{
    std::vector<std::size_t> before;
    for (double const share : {0.1, 0.3, 0.5, 1.0})
    {
        CAPTURE(share);
        route_table const table(route_policy::sticky, targets_of({3, 1, 1}), route_table::split{2, share, true});
        auto const picked = sticky_picks(table);
        CHECK(std::abs(share_of(picked, 2) - share) < 0.005);
        CHECK(std::abs(share_of(picked, 0) - (1 - share) * 0.75) < 0.005);
        std::size_t moved_otherwise = 0;
        for (std::size_t i = 0; i < before.size(); ++i)
            moved_otherwise += picked[i] != before[i] && picked[i] != 2;
        CHECK(moved_otherwise == 0);
        before = picked;
    }
    // Another candidate is tried out by other users.
    auto renamed = targets_of({3, 1, 1});
    renamed[2].name = "other";
    auto const a =
        sticky_picks(route_table(route_policy::weighted, targets_of({3, 1, 1}), route_table::split{2, 0.1, true}));
    auto const b = sticky_picks(route_table(route_policy::weighted, renamed, route_table::split{2, 0.1, true}));
    std::size_t both = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        both += a[i] == 2 && b[i] == 2;
    CHECK(std::abs(static_cast<double>(both) / 100'000 - 0.01) < 0.003);
}
