// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "router.hpp"

#include "stable_hash.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace serin {
namespace {

struct route_policy_row
{
    route_policy policy;
    std::string_view name;
};

constexpr std::array<route_policy_row, 6> route_policies = {{
    {route_policy::weighted, "weighted"},
    {route_policy::priority, "priority"},
    {route_policy::cheapest, "cheapest"},
    {route_policy::latency, "latency"},
    {route_policy::least_busy, "least_busy"},
    {route_policy::sticky, "sticky"},
}};

// A second draw out of the same random number.
std::uint64_t route_redraw(std::uint64_t random, std::uint64_t salt) noexcept
{
    return stable_hash(random, salt);
}

// Uniform below `n`, which is not zero.
std::uint64_t route_below(std::uint64_t random, std::uint64_t n) noexcept
{
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<wide>(random) * n) >> 64);
}

} // namespace

std::string_view route_policy_name(route_policy p) noexcept
{
    auto const row = std::ranges::find(route_policies, p, &route_policy_row::policy);
    return row == route_policies.end() ? "unknown" : row->name;
}

std::optional<route_policy> route_policy_of(std::string_view name) noexcept
{
    auto const row = std::ranges::find(route_policies, name, &route_policy_row::name);
    return row == route_policies.end() ? std::nullopt : std::optional(row->policy);
}

alias_table::alias_table(std::span<unsigned const> weights) : columns_(weights.size())
{
    std::uint64_t total = 0;
    for (unsigned const w : weights)
        total += w;

    // Scaled by the number of columns, each of which is then as high as the total: nothing is divided before the end.
    std::vector<std::uint64_t> height(weights.size());
    std::vector<std::size_t> low, high;
    for (std::size_t i = 0; i < weights.size(); ++i)
    {
        height[i] = std::uint64_t{weights[i]} * weights.size();
        (height[i] < total ? low : high).push_back(i);
    }
    while (!low.empty())
    {
        // The heights of those in neither list and of both lists add up to a whole number of totals: where there is a
        // low one there is a high one.
        std::size_t const i = low.back();
        std::size_t const giver = high.back();
        low.pop_back();
        columns_[i].threshold =
            static_cast<std::uint64_t>(static_cast<double>(height[i]) / static_cast<double>(total) * 0x1p64);
        columns_[i].other = giver;
        height[giver] -= total - height[i];
        if (height[giver] < total)
        {
            high.pop_back();
            low.push_back(giver);
        }
    }
    for (std::size_t const i : high)
        columns_[i] = {std::numeric_limits<std::uint64_t>::max(), i};
}

route_table::route_table(route_policy policy, std::vector<target> targets, std::optional<split> candidate)
    : policy_(policy),
      targets_(std::move(targets)),
      split_(candidate)
{
    for (target const& t : targets_)
    {
        weights_.push_back(t.weight);
        hashes_.push_back(stable_hash(t.name));
    }
    auto const is_zero = [](unsigned w) { return w == 0; };
    if (std::ranges::all_of(weights_, is_zero))
        weights_.front() = 1;
    if (split_)
        weights_[split_->candidate] = 0;
    if (!std::ranges::all_of(weights_, is_zero))
        by_weight_.emplace(weights_);
    for (std::size_t i = 0; i < weights_.size(); ++i)
        if (weights_[i] != 0)
            sticky_.push_back({mix_bits(hashes_[i]), 1.0 / weights_[i], i});
    // Those that win most often first: then there is little to be found among the others.
    std::ranges::stable_sort(sticky_, {}, &sticky_target::per_weight);
}

std::optional<std::size_t> route_table::pick(
    std::span<route_facts const> facts, std::string_view key, std::uint64_t random) const noexcept
{
    if (!split_ || !(split_->share > 0))
        return pick_by_policy(facts, key, random);

    std::size_t const c = split_->candidate;
    bool const possible = facts.empty() || (facts[c].available && !facts[c].tried);
    if (possible && falls_to_candidate(key, random))
        return c;
    auto const other = pick_by_policy(facts, key, random);
    return !other && possible ? c : other;
}

// A key that falls to the candidate stays with it when the share grows. The candidate's name is mixed in so that it is
// not the same users who try out every candidate.
bool route_table::falls_to_candidate(std::string_view key, std::uint64_t random) const noexcept
{
    constexpr std::uint64_t salt = 1;
    bool const by_key = split_->sticky && !key.empty();
    auto const bits =
        by_key ? stable_hash(stable_hash(key), hashes_[split_->candidate] ^ salt) : route_redraw(random, salt);
    return unit_interval(bits) < split_->share;
}

std::optional<std::size_t> route_table::pick_by_policy(
    std::span<route_facts const> facts, std::string_view key, std::uint64_t random) const noexcept
{
    if (!by_weight_)
        return std::nullopt;
    switch (policy_)
    {
    case route_policy::weighted: break;
    case route_policy::priority: return pick_lowest(facts, random, [&](std::size_t i) { return targets_[i].priority; });
    case route_policy::cheapest:
        if (!facts.empty())
            return pick_lowest(facts, random, [&](std::size_t i) { return facts[i].price; });
        break;
    case route_policy::latency:
        if (!facts.empty())
            return pick_quicker(facts, random);
        break;
    case route_policy::least_busy:
        if (!facts.empty())
            return pick_lowest(facts, random, [&](std::size_t i) { return facts[i].in_flight; });
        break;
    case route_policy::sticky:
        if (!key.empty())
            return pick_sticky(facts, key);
        break;
    }
    return pick_weighted(facts, random);
}

std::optional<std::size_t> route_table::pick_weighted(
    std::span<route_facts const> facts, std::uint64_t random) const noexcept
{
    std::size_t const i = by_weight_->draw(random);
    if (usable(facts, i))
        return i;
    // Drawing again among the rest gives each what the excluded ones would have had, in proportion to its weight.
    return pick_lowest(facts, route_redraw(random, 2), [](std::size_t) { return 0; });
}

// Among those with the lowest score by weight.
template <class Score>
std::optional<std::size_t> route_table::pick_lowest(
    std::span<route_facts const> facts, std::uint64_t random, Score const& score) const noexcept
{
    std::optional<std::size_t> best;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i)
    {
        if (!usable(facts, i) || (best && score(*best) < score(i)))
            continue;
        if (!best || score(i) < score(*best))
        {
            best = i;
            total = 0;
        }
        total += weights_[i];
    }
    if (!best)
        return std::nullopt;
    std::uint64_t at = route_below(random, total);
    std::size_t last = *best;
    for (std::size_t i = *best; i < weights_.size(); ++i)
    {
        // Neither lower nor higher. NaN is neither to anything, and does no harm.
        if (!usable(facts, i) || score(i) < score(*best) || score(*best) < score(i))
            continue;
        last = i;
        if (at < weights_[i])
            break;
        at -= weights_[i];
    }
    return last;
}

// Two choices are nearly as good as looking at all, and do not send everybody to the one that looks best at the moment.
// From tower's p2c balancer and its PeakEwma load.
std::optional<std::size_t> route_table::pick_quicker(
    std::span<route_facts const> facts, std::uint64_t random) const noexcept
{
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i)
        count += usable(facts, i);
    if (count == 0)
        return std::nullopt;

    // Distinct: the second is drawn among the others.
    std::uint64_t const a = route_below(random, count);
    std::uint64_t b = count == 1 ? a : route_below(route_redraw(random, 3), count - 1);
    if (count > 1 && b >= a)
        ++b;

    std::size_t first = 0, second = 0;
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i)
    {
        if (!usable(facts, i))
            continue;
        if (n == a)
            first = i;
        if (n == b)
            second = i;
        ++n;
    }
    auto const cost = [&](std::size_t i) { return facts[i].latency * (static_cast<double>(facts[i].in_flight) + 1); };
    return cost(second) < cost(first) ? second : first;
}

// Weighted rendezvous hashing: each target draws a number for the key, -ln(u)/w with u uniform, and the lowest wins,
// which happens to each in proportion to its weight. A changed weight changes one target's number only, so that keys
// move to this target or away from it and nowhere else; the same holds for targets that come, go or are unavailable.
std::optional<std::size_t> route_table::pick_sticky(
    std::span<route_facts const> facts, std::string_view key) const noexcept
{
    std::uint64_t const hash = stable_hash(key);
    std::optional<std::size_t> best;
    double lowest = std::numeric_limits<double>::infinity();
    for (sticky_target const& t : sticky_)
    {
        double const u = unit_interval(mix_bits(hash + t.salt));
        // -ln(u) is more than 1 - u: most targets are out of the question before it comes to the logarithm.
        if ((1 - u) * t.per_weight >= lowest || !usable(facts, t.index))
            continue;
        if (double const draw = -std::log(u) * t.per_weight; draw < lowest)
        {
            best = t.index;
            lowest = draw;
        }
    }
    return best;
}

} // namespace serin
