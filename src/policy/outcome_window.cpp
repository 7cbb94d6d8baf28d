// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "outcome_window.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace serin {

void outcome_figures::add(outcome what, std::optional<steady_time::duration> answer_time)
{
    switch (what)
    {
    case outcome::success:
        ++successes;
        if (answer_time)
            took.add(*answer_time);
        break;
    case outcome::failure: ++failures; break;
    case outcome::limited: ++limited; break;
    case outcome::neutral: ++neutral; break;
    }
}

void outcome_figures::add(outcome_figures const& other)
{
    successes += other.successes;
    failures += other.failures;
    limited += other.limited;
    neutral += other.neutral;
    took.add(other.took);
}

void outcome_figures::subtract(outcome_figures const& other) noexcept
{
    successes -= other.successes;
    failures -= other.failures;
    limited -= other.limited;
    neutral -= other.neutral;
    took.subtract(other.took);
}

void outcome_figures::clear() noexcept
{
    successes = failures = limited = neutral = 0;
    took.clear();
}

outcome_window::outcome_window(steady_time::duration length) noexcept
    : slice_length_(std::max<steady_time::duration>(length / slices_, std::chrono::milliseconds(1))),
      latest_(std::numeric_limits<std::int64_t>::min())
{}

void outcome_window::add(outcome what, std::optional<steady_time::duration> took, steady_time now)
{
    advance(now);
    auto const at = static_cast<std::size_t>((latest_ % slices_ + slices_) % slices_);
    slices_of_time_[at].add(what, took);
    sum_.add(what, took);
}

outcome_figures const& outcome_window::figures(steady_time now) noexcept
{
    advance(now);
    return sum_;
}

void outcome_window::clear() noexcept
{
    for (auto& s : slices_of_time_)
        s.clear();
    sum_.clear();
}

void outcome_window::advance(steady_time now) noexcept
{
    std::int64_t const current = now.time_since_epoch() / slice_length_;
    if (current <= latest_)
        return;
    bool const all = latest_ < current - slices_; // Written so that nothing overflows: the latest may be the least.
    for (std::int64_t n = all ? current - slices_ : latest_; n < current; ++n)
    {
        auto& oldest = slices_of_time_[static_cast<std::size_t>(((n + 1) % slices_ + slices_) % slices_)];
        sum_.subtract(oldest);
        oldest.clear();
    }
    latest_ = current;
}

} // namespace serin
