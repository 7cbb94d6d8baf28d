// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_BUDGETS_HPP
#define SERIN_TESTS_SUPPORT_BUDGETS_HPP

#include "policy/retry_budget.hpp"
#include "policy/router.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

// Retry budgets with what they point to.
struct owned_budgets
{
    std::vector<serin::retry_budget> targets;
    serin::retry_budget client;

    owned_budgets(serin::retry_params const& params, std::size_t count)
        : targets(count, serin::retry_budget(params)),
          client(params)
    {}

    operator serin::retry_budgets()
    {
        serin::retry_budgets all{{}, &client};
        for (auto& b : targets)
            all.targets.push_back(&b);
        return all;
    }
};

// A table of targets of these weights, called "0", "1" and so on.
inline serin::route_table routes_by_weight(std::vector<unsigned> const& weights)
{
    std::vector<serin::route_table::target> targets;
    for (unsigned const w : weights)
        targets.push_back({std::to_string(targets.size()), w, 0});
    return serin::route_table(serin::route_policy::weighted, std::move(targets));
}

// The same, but the first that can be picked is picked.
inline serin::route_table routes_in_order(std::vector<unsigned> const& weights)
{
    std::vector<serin::route_table::target> targets;
    for (unsigned const w : weights)
        targets.push_back({std::to_string(targets.size()), w, static_cast<int>(targets.size())});
    return serin::route_table(serin::route_policy::priority, std::move(targets));
}

#endif
