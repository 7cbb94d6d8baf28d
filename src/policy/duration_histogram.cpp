// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "duration_histogram.hpp"

#include "binomial.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace serin {
namespace {

constexpr std::uint64_t histogram_bits = 6; // 64 steps from one power of two to the next
constexpr std::uint64_t histogram_unit = std::uint64_t{1} << histogram_bits;
constexpr std::uint64_t histogram_longest = (std::uint64_t{1} << 32) - 1; // In microseconds
constexpr std::size_t histogram_steps = (32 - histogram_bits + 1) << histogram_bits;

using histogram_microseconds = std::chrono::duration<std::int64_t, std::micro>;

} // namespace

std::size_t duration_histogram::index_of(duration d) noexcept
{
    auto const us = std::chrono::duration_cast<histogram_microseconds>(std::max(d, duration::zero())).count();
    std::uint64_t const v = std::min(static_cast<std::uint64_t>(us), histogram_longest);
    if (v < histogram_unit)
        return v;
    auto const shift = static_cast<std::uint64_t>(std::bit_width(v)) - 1 - histogram_bits;
    return (shift << histogram_bits) + (v >> shift);
}

duration_histogram::duration duration_histogram::lower_edge(std::size_t i) noexcept
{
    std::uint64_t v = i;
    if (i >= 2 * histogram_unit)
    {
        std::uint64_t const shift = (i >> histogram_bits) - 1;
        v = (i - (shift << histogram_bits)) << shift;
    }
    return std::chrono::duration_cast<duration>(histogram_microseconds(static_cast<std::int64_t>(v)));
}

void duration_histogram::add(duration d)
{
    if (steps_.empty())
        steps_.resize(histogram_steps);
    ++steps_[index_of(d)];
    ++count_;
}

void duration_histogram::add(duration_histogram const& other)
{
    if (other.count_ == 0)
        return;
    if (steps_.empty())
        steps_.resize(histogram_steps);
    for (std::size_t i = 0; i < histogram_steps; ++i)
        steps_[i] += other.steps_[i];
    count_ += other.count_;
}

void duration_histogram::subtract(duration_histogram const& other) noexcept
{
    if (other.count_ == 0)
        return;
    for (std::size_t i = 0; i < histogram_steps; ++i)
        steps_[i] -= other.steps_[i];
    count_ -= other.count_;
}

void duration_histogram::clear() noexcept
{
    if (count_ != 0)
        std::ranges::fill(steps_, 0u);
    count_ = 0;
}

std::size_t duration_histogram::nth_longest(std::uint64_t n) const noexcept
{
    std::size_t i = histogram_steps - 1;
    for (std::uint64_t seen = steps_[i]; seen < n && i > 0; seen += steps_[i])
        --i;
    return i;
}

std::optional<duration_histogram::duration> duration_histogram::quantile(double q) const noexcept
{
    if (count_ == 0)
        return std::nullopt;
    // The first one that so many do not exceed; without what the product may be off by.
    auto const rank =
        static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_) - 1e-6));
    std::size_t const i = nth_longest(count_ + 1 - std::clamp<std::uint64_t>(rank, 1, count_));
    // A step of one microsecond has no middle.
    return i < 2 * histogram_unit ? lower_edge(i) : lower_edge(i) + (lower_edge(i + 1) - lower_edge(i)) / 2;
}

std::optional<duration_histogram::duration> duration_histogram::quantile_low(double q, double alpha) const noexcept
{
    // The fewest that lie above the quantile with a chance of at most alpha, if there are so many at all. The quantile
    // lies below the shortest of so many only then.
    std::uint64_t few = 0, many = count_ + 1;
    while (many - few > 1)
    {
        std::uint64_t const middle = few + (many - few) / 2;
        (binomial_upper_tail(middle, count_, 1 - q) <= alpha ? many : few) = middle;
    }
    if (many > count_)
        return std::nullopt;
    return lower_edge(nth_longest(many));
}

std::optional<duration_histogram::duration> duration_histogram::quantile_high(double q, double alpha) const noexcept
{
    // The most of which it is true that so many or fewer lie above the quantile with a chance of at most alpha. If the
    // quantile were longer than the next one there would be no more.
    if (count_ == 0 || binomial_lower_tail(0, count_, 1 - q) > alpha)
        return std::nullopt;
    std::uint64_t few = 0, many = count_;
    while (many - few > 1)
    {
        std::uint64_t const middle = few + (many - few) / 2;
        (binomial_lower_tail(middle, count_, 1 - q) <= alpha ? few : many) = middle;
    }
    return lower_edge(nth_longest(few + 1) + 1);
}

std::uint64_t duration_histogram::count_above(duration d) const noexcept
{
    if (count_ == 0)
        return 0;
    std::uint64_t n = 0;
    for (std::size_t i = index_of(d) + 1; i < histogram_steps; ++i)
        n += steps_[i];
    return n;
}

} // namespace serin
