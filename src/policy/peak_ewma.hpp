// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_PEAK_EWMA_HPP
#define SERIN_SRC_POLICY_PEAK_EWMA_HPP

#include <algorithm>
#include <chrono>
#include <cmath>

namespace serin {

// How long an upstream's answers take: an average that forgets exponentially with time, but follows a slow answer at
// once. It falls while nothing is heard, so that a slow upstream gets a request now and then and can show that it has
// recovered. From Finagle and tower. A `now` before the latest one counts as the latest.
class peak_ewma
{
public:
    using clock = std::chrono::steady_clock;
    using duration = clock::duration;
    using time_point = clock::time_point;

    // An upstream that was never heard counts as `initial`: not so quick that everybody runs to it. Within `decay` an
    // answer's part falls to 1/e. One second is tower's advice, ten seconds are Finagle's default.
    explicit peak_ewma(
        time_point now, duration initial = std::chrono::seconds(1), duration decay = std::chrono::seconds(10)) noexcept
        : decay_(std::max(static_cast<double>(decay.count()), 1.0)),
          estimate_(std::max(static_cast<double>(initial.count()), 0.0)),
          at_(now)
    {}

    // An answer that took so long.
    void answered(duration took, time_point now) noexcept
    {
        double const sample = std::max(static_cast<double>(took.count()), 0.0);
        double const kept = kept_at(now);
        estimate_ = sample > estimate_ ? sample : estimate_ * kept + sample * (1 - kept);
        at_ = std::max(at_, now);
    }

    // A failure, after so long. It never makes the upstream look quicker: who refuses everything at once would have
    // the best figures of all.
    void failed(duration took, time_point now) noexcept
    {
        estimate_ = std::max(estimate_, static_cast<double>(took.count()));
        at_ = std::max(at_, now);
    }

    // The estimate, in units of the clock.
    double value(time_point now) const noexcept { return estimate_ * kept_at(now); }

private:
    // The part of the estimate that is left.
    double kept_at(time_point now) const noexcept
    {
        if (now <= at_)
            return 1;
        // As fractions: the difference of two times of the clock may not fit the clock.
        double const elapsed =
            static_cast<double>(now.time_since_epoch().count()) - static_cast<double>(at_.time_since_epoch().count());
        return std::exp(-elapsed / decay_);
    }

    double decay_;
    double estimate_;
    time_point at_;
};

} // namespace serin

#endif
