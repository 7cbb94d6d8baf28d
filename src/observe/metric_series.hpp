// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_METRIC_SERIES_HPP
#define SERIN_SRC_OBSERVE_METRIC_SERIES_HPP

#include "bucket_counts.hpp"
#include "duration_counts.hpp"
#include "sliding_sum.hpp"

#include <serin/observe/event.hpp>
#include <serin/observe/metrics.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace serin {

// Of calls or attempts that ended in the same way.
struct outcome_counts
{
    std::string_view outcome; // A name of ours, which lives for ever.
    bucket_counts took;
};

// What is counted for a model of an upstream.
struct model_series
{
    model_series(std::string_view name, call_operation o, std::chrono::steady_clock::duration window)
        : model(name),
          operation(o),
          latest_calls(window),
          latest_first_tokens(window)
    {}

    void add_tokens(token_counts const& used);

    std::string const model;
    call_operation const operation;
    std::vector<outcome_counts> calls;
    std::vector<outcome_counts> attempts;
    std::optional<bucket_counts> first_token;
    std::optional<bucket_counts> between_tokens;
    std::optional<bucket_counts> input_tokens; // Of an attempt
    std::optional<bucket_counts> output_tokens;
    token_counts tokens;
    std::int64_t cost = 0;                     // Nano-dollars
    sliding_sum<duration_counts> latest_calls; // That were answered
    sliding_sum<duration_counts> latest_first_tokens;
};

// What is counted for an upstream.
struct upstream_series
{
    explicit upstream_series(std::string_view n) : name(n) {}

    std::string const name;
    std::vector<std::unique_ptr<model_series>> models;
    model_series* latest = nullptr; // That was looked up
    std::optional<bucket_counts> waited_for_connection;
    std::optional<bucket_counts> waited_for_limit;
    std::uint64_t connections_made = 0;
    std::uint64_t connections_reused = 0;
    std::uint64_t retries = 0;
    std::uint64_t failovers = 0;
    std::uint64_t hedges = 0;
    std::array<std::uint64_t, 3> circuit_changes{}; // By the new state
    std::array<std::uint64_t, 3> key_changes{};     // By the change
};

// A rollout as it was when it moved last.
struct rollout_series
{
    std::string candidate;
    double share = 0;
    std::map<std::string, std::uint64_t, std::less<>> changes;
};

// Everything that is counted, of a bounded number of upstreams and models. No clock, no lock; but the number of active
// calls may be changed from any thread.
class metric_series
{
public:
    explicit metric_series(metrics_params const& params);

    upstream_series& upstream(std::string_view name);
    model_series& model(upstream_series& of, std::string_view name, call_operation operation);

    // Null if it is one too many.
    rollout_series* rollout(std::string_view model);
    std::uint64_t* budget(std::string_view name);

    // They stay where they are.
    std::vector<upstream_series*> const& upstreams() const noexcept { return order_; }
    std::map<std::string, rollout_series, std::less<>> const& rollouts() const noexcept { return rollouts_; }
    std::map<std::string, std::uint64_t, std::less<>> const& budgets() const noexcept { return budgets_; }

    // A label's value: that text, or "other" if it is too long.
    static std::string_view bounded(std::string_view text) noexcept;
    static constexpr std::string_view other = "other";

    std::atomic<std::int64_t> active_calls{0};
    std::array<std::uint64_t, 4> cache_lookups{}; // By result

private:
    struct hash
    {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept { return std::hash<std::string_view>()(s); }
    };

    std::size_t max_upstreams_;
    std::size_t max_models_;
    std::chrono::steady_clock::duration window_;
    std::unordered_map<std::string, std::unique_ptr<upstream_series>, hash, std::equal_to<>> upstreams_;
    std::vector<upstream_series*> order_;
    upstream_series* latest_ = nullptr;                           // That was looked up
    std::map<std::string, rollout_series, std::less<>> rollouts_; // By alias
    std::map<std::string, std::uint64_t, std::less<>> budgets_;   // How often each was reported
};

// The counts of an outcome among others.
bucket_counts& find_outcome(std::vector<outcome_counts>& among, std::string_view outcome);

} // namespace serin

#endif
