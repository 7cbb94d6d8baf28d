// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_ROUTER_HPP
#define SERIN_SRC_POLICY_ROUTER_HPP

#include <serin/policy/router.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

// What is known about one target at the time of a pick. Only what the policy asks for needs to be filled in.
struct route_facts
{
    bool available = true; // Its circuit and its limits let a request through.
    bool tried = false;    // By this call.
    double price = 0;      // Of this request. Any unit.
    double latency = 0;    // The estimate of peak_ewma. Any unit.
    std::size_t in_flight = 0;
};

// Draws indexes in proportion to weights in constant time (Vose's alias method). The weights are counted out in whole
// numbers; what is rounded is the threshold within a column, to 2^-53 of a column.
class alias_table
{
public:
    // Not empty, with at least one weight that is not zero.
    explicit alias_table(std::span<unsigned const> weights);

    // `random` is uniform over all values.
    std::size_t draw(std::uint64_t random) const noexcept
    {
        // The product's upper half is the column, and its lower half where in the column.
        __extension__ using wide = unsigned __int128;
        auto const product = static_cast<wide>(random) * columns_.size();
        auto const i = static_cast<std::size_t>(product >> 64);
        column const& c = columns_[i];
        return static_cast<std::uint64_t>(product) < c.threshold ? i : c.other;
    }

private:
    struct column
    {
        std::uint64_t threshold = 0; // Below it the column's own index is drawn.
        std::size_t other = 0;
    };

    std::vector<column> columns_;
};

// Chooses who answers a request: a snapshot of the targets of one alias. Immutable, so that any number of threads may
// pick from it.
class route_table
{
public:
    struct target
    {
        std::string name; // Of the upstream, which is what sticky keys stick to.
        unsigned weight = 1;
        int priority = 0;
    };

    // The share of a target that is being rolled out. The policy decides among the others.
    struct split
    {
        std::size_t candidate = 0;
        double share = 0; // 0: it gets nothing, whatever happens to the others. 1: the others stand in for it.
        bool sticky = false;
    };

    // `targets` is not empty. One with weight 0 is never picked, but if all weights are zero the first one is.
    route_table(route_policy policy, std::vector<target> targets, std::optional<split> candidate = {});

    std::size_t size() const noexcept { return targets_.size(); }

    // As the policy sees it: a candidate has none.
    unsigned weight(std::size_t i) const noexcept { return weights_[i]; }

    // Whether a target may ever be picked: it has a weight, or is a candidate with a share. The others are no part of
    // the group of which no more than half may be ejected.
    bool may_be_picked(std::size_t i) const noexcept
    {
        return weights_[i] != 0 || (split_ && split_->candidate == i && split_->share > 0);
    }

    // The index of a target. Nothing if there is none that may be picked and is available and not tried. `facts` are of
    // each target, or empty: then all can answer. `key` is that of a sticky request, `random` uniform over all values.
    std::optional<std::size_t> pick(
        std::span<route_facts const> facts, std::string_view key, std::uint64_t random) const noexcept;

private:
    struct sticky_target
    {
        std::uint64_t salt = 0;
        double per_weight = 0; // 1 / weight
        std::size_t index = 0;
    };

    bool usable(std::span<route_facts const> facts, std::size_t i) const noexcept
    {
        return weights_[i] != 0 && (facts.empty() || (facts[i].available && !facts[i].tried));
    }

    bool falls_to_candidate(std::string_view key, std::uint64_t random) const noexcept;
    std::optional<std::size_t> pick_by_policy(
        std::span<route_facts const> facts, std::string_view key, std::uint64_t random) const noexcept;
    std::optional<std::size_t> pick_weighted(std::span<route_facts const> facts, std::uint64_t random) const noexcept;
    template <class Score>
    std::optional<std::size_t> pick_lowest(
        std::span<route_facts const> facts, std::uint64_t random, Score const& score) const noexcept;
    std::optional<std::size_t> pick_quicker(std::span<route_facts const> facts, std::uint64_t random) const noexcept;
    std::optional<std::size_t> pick_sticky(std::span<route_facts const> facts, std::string_view key) const noexcept;

    route_policy policy_;
    std::vector<target> targets_;
    std::optional<split> split_;
    std::vector<unsigned> weights_; // As the policy sees them
    std::vector<std::uint64_t> hashes_;
    std::vector<sticky_target> sticky_;    // Those that have a weight
    std::optional<alias_table> by_weight_; // Not set: no target is left for the policy.
};

} // namespace serin

#endif
