// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "retry_budget.hpp"

#include <algorithm>
#include <cmath>

namespace serin {

// The upper bound of the share, a thousand retries per request, keeps sums from overflowing.
retry_budget::retry_budget(retry_params const& params) noexcept
    : per_request_(params.budget_ratio > 0
                       ? std::llround(std::min(params.budget_ratio, 1000.0) * static_cast<double>(retry_))
                       : 0),
      balance_(std::int64_t{std::max(params.budget_per_second, 0)} * slices_ * retry_)
{}

bool retry_budget::withdraw(steady_time now) noexcept
{
    if (balance(now) < 1)
        return false;
    book(now, -retry_);
    return true;
}

std::int64_t retry_budget::balance(steady_time now) noexcept
{
    book(now, 0);
    return balance_ / retry_;
}

// What was booked a window ago expires, retries as well as requests.
void retry_budget::advance(std::int64_t second) noexcept
{
    for (std::int64_t n = std::min(second - latest_, slices_); n > 0; --n)
    {
        at_ = (at_ + 1) % booked_.size();
        balance_ -= booked_[at_];
        booked_[at_] = 0;
    }
    latest_ = second;
}

} // namespace serin
