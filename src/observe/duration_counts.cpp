// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "duration_counts.hpp"

#include <algorithm>
#include <cmath>

namespace serin {
namespace {

constexpr unsigned duration_steps = 512;
constexpr double shortest_counted = 1e-4; // Seconds
constexpr double longest_counted = 3600;

} // namespace

duration_counts::axis const& duration_counts::steps() noexcept
{
    static axis const all(duration_steps, shortest_counted, longest_counted);
    return all;
}

int duration_counts::step_of(duration d) noexcept
{
    // The logarithm of nothing is beyond the first step, and so is that of less than nothing.
    return steps().index(std::max(std::chrono::duration<double>(d).count(), shortest_counted / 2));
}

void duration_counts::add_step(int step)
{
    if (!counts_)
        counts_.emplace(std::tuple(steps()));
    counts_->at(step) += 1;
    ++count_;
}

void duration_counts::subtract(duration_counts const& other)
{
    if (other.count_ == 0)
        return;
    *counts_ -= *other.counts_;
    count_ -= other.count_;
}

void duration_counts::clear() noexcept
{
    if (count_ != 0)
        counts_->reset();
    count_ = 0;
}

std::optional<duration_counts::duration> duration_counts::quantile(double q) const
{
    if (count_ == 0)
        return std::nullopt;
    // The first one that so many do not exceed; without what the product may be off by.
    auto const wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_) - 1e-6);
    auto const rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(wanted, 1.0)), 1, count_);
    int i = -1; // What is shorter than the first step
    for (std::uint64_t seen = counts_->at(i); seen < rank; seen += counts_->at(i))
        ++i;
    double seconds = shortest_counted;
    if (i == steps().size())
        seconds = longest_counted;
    else if (i >= 0)
        seconds = std::sqrt(steps().bin(i).lower() * steps().bin(i).upper());
    return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

} // namespace serin
