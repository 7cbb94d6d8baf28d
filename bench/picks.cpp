// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// How many upstreams can be picked per second, on one core, under each policy.
//
//     picks [MILLIONS]      default: 20

#include "policy/router.hpp"
#include "policy/stable_hash.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using serin::route_policy;
using serin::route_table;

std::vector<route_table::target> targets_of(std::size_t count)
{
    std::vector<route_table::target> out;
    for (std::size_t i = 0; i < count; ++i)
        out.push_back({"upstream-" + std::to_string(i), static_cast<unsigned>(i % 7 + 1), static_cast<int>(i % 2)});
    return out;
}

// What is measured includes drawing the random number, as a client has to. The best of three.
void measure(char const* what, route_table const& table, std::vector<serin::route_facts> const& facts,
    std::string_view key, std::uint64_t picks)
{
    using clock = std::chrono::steady_clock;
    double best = 0;
    std::size_t sum = 0;
    std::uint64_t state = 1;
    for (int round = 0; round < 3; ++round)
    {
        auto const began = clock::now();
        for (std::uint64_t i = 0; i < picks; ++i)
            sum += table.pick(facts, key, serin::mix_bits(state += 0x9e3779b97f4a7c15u)).value_or(0);
        std::chrono::duration<double> const took = clock::now() - began;
        best = std::max(best, static_cast<double>(picks) / took.count());
    }
    // The sum is printed so that the picks are not optimised away.
    std::printf("%-32s %4zu upstreams  %8.1f M picks/s  %6.1f ns each  (checksum %zu)\n", what, table.size(),
        best / 1e6, 1e9 / best, sum);
}

} // namespace

int main(int argc, char** argv)
{
    std::uint64_t const picks = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20) * 1'000'000;
    for (std::size_t const count : {2u, 8u, 100u})
    {
        std::vector<serin::route_facts> facts(count);
        for (std::size_t i = 0; i < count; ++i)
            facts[i] = {true, false, static_cast<double>(i * 7 % 5), static_cast<double>(i * 3 % 11 + 1), i * 5 % 7};

        auto const targets = targets_of(count);
        std::uint64_t const fewer = picks / (count > 8 ? 20 : 2);
        measure("weighted", route_table(route_policy::weighted, targets), facts, {}, picks);
        measure("weighted, 10 % to a candidate",
            route_table(route_policy::weighted, targets, route_table::split{1, 0.1, false}), facts, {}, picks);
        measure("priority", route_table(route_policy::priority, targets), facts, {}, fewer);
        measure("cheapest", route_table(route_policy::cheapest, targets), facts, {}, fewer);
        measure("latency", route_table(route_policy::latency, targets), facts, {}, fewer);
        measure("least_busy", route_table(route_policy::least_busy, targets), facts, {}, fewer);
        measure("sticky", route_table(route_policy::sticky, targets), facts, "user-123456", fewer);
        facts[0].available = false;
        measure("weighted, one ejected", route_table(route_policy::weighted, targets), facts, {}, fewer);
    }
}
