// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_DURATION_HISTOGRAM_HPP
#define SERIN_SRC_POLICY_DURATION_HISTOGRAM_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace serin {

// How often which durations came up: in microseconds up to 64 of them, then in steps of a 64th of a power of two, so
// that a value is known to 1.6 % (as in HdrHistogram). From zero to 71 minutes, in 7 KiB at most. What is beyond
// counts as the last step.
class duration_histogram
{
public:
    using duration = std::chrono::steady_clock::duration;

    void add(duration d);
    void add(duration_histogram const& other);

    // Takes away what was added before.
    void subtract(duration_histogram const& other) noexcept;

    void clear() noexcept;

    std::uint64_t count() const noexcept { return count_; }

    // What a share `q`, from 0 to 1, took at most: to within half a step. Nothing if there is nothing.
    std::optional<duration> quantile(double q) const noexcept;

    // Bounds for the quantile of all that ever could come, of which the durations here are a random sample: the chance
    // that it lies below `low`, or above `high`, is at most `alpha` for each. They are values of the sample ("order
    // statistics"), so nothing needs to be known about the distribution: how many durations lie above the true
    // quantile is binomial whatever it looks like. Nothing if the sample is too small to say: `high` for 0.99 needs
    // ln(alpha) / ln(0.99) durations, which is 459 for one in a hundred and 1375 for one in a million.
    std::optional<duration> quantile_low(double q, double alpha) const noexcept;
    std::optional<duration> quantile_high(double q, double alpha) const noexcept;

    // How many certainly took longer than `d`: without those in its step.
    std::uint64_t count_above(duration d) const noexcept;

private:
    static std::size_t index_of(duration d) noexcept;
    static duration lower_edge(std::size_t i) noexcept;

    // The step of the n-th longest, from 1 to the count.
    std::size_t nth_longest(std::uint64_t n) const noexcept;

    std::vector<std::uint32_t> steps_; // Empty until something is added.
    std::uint64_t count_ = 0;
};

} // namespace serin

#endif
