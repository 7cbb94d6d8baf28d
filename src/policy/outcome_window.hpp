// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_OUTCOME_WINDOW_HPP
#define SERIN_SRC_POLICY_OUTCOME_WINDOW_HPP

#include "../core/fiber.hpp"
#include "duration_histogram.hpp"
#include "outcome.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace serin {

// How the requests of an upstream, or of several, went.
struct outcome_figures
{
    std::uint64_t successes = 0;
    std::uint64_t failures = 0;
    std::uint64_t limited = 0;
    std::uint64_t neutral = 0;
    duration_histogram took; // Of successes. How long a failure takes says nothing about how long an answer does.

    // The requests that say something about the upstream.
    std::uint64_t counted() const noexcept { return successes + failures + limited; }

    void add(outcome what, std::optional<steady_time::duration> answer_time);
    void add(outcome_figures const& other);

    // Takes away what was added before.
    void subtract(outcome_figures const& other) noexcept;

    void clear() noexcept;
};

// The figures of the latest time, in twelve slices of which the oldest is forgotten as a whole. Memory is bounded, by
// 13 histograms. A `now` before the latest one counts as the latest.
class outcome_window
{
public:
    // At least a millisecond for each slice.
    explicit outcome_window(steady_time::duration length) noexcept;

    void add(outcome what, std::optional<steady_time::duration> took, steady_time now);

    // Of at least eleven twelfths of the length, and all of it at most.
    outcome_figures const& figures(steady_time now) noexcept;

    void clear() noexcept;

private:
    static constexpr std::int64_t slices_ = 12;

    void advance(steady_time now) noexcept;

    steady_time::duration slice_length_;
    std::int64_t latest_;
    std::array<outcome_figures, slices_> slices_of_time_;
    outcome_figures sum_;
};

} // namespace serin

#endif
