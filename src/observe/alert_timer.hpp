// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_ALERT_TIMER_HPP
#define SERIN_SRC_OBSERVE_ALERT_TIMER_HPP

#include "../core/fiber.hpp"

#include <serin/observe/alert.hpp>

#include <optional>

namespace serin {

// Decides when an alert is delivered, by whether its condition holds. No clock.
class alert_timer
{
public:
    explicit alert_timer(alert_rule const& rule) noexcept
        : hold_(rule.hold),
          recovery_(rule.recovery),
          repeat_(rule.repeat)
    {}

    // To be called again and again. Nothing: nothing is to be delivered.
    std::optional<alert_state> resume(bool holds, steady_time now) noexcept
    {
        if (!holds)
        {
            bad_since_.reset();
            if (!fires_since_)
                return std::nullopt;
            if (!good_since_)
                good_since_ = now;
            if (now - *good_since_ < recovery_)
                return std::nullopt;
            fired_for_ = now - *fires_since_;
            fires_since_.reset();
            good_since_.reset();
            return alert_state::recovered;
        }
        good_since_.reset();
        if (!bad_since_)
            bad_since_ = now;
        if (!fires_since_)
        {
            if (now - *bad_since_ < hold_)
                return std::nullopt;
            fires_since_ = told_at_ = now;
            fired_for_ = {};
            return alert_state::firing;
        }
        if (repeat_ == repeat_.zero() || now - told_at_ < repeat_)
            return std::nullopt;
        told_at_ = now;
        fired_for_ = now - *fires_since_;
        return alert_state::repeated;
    }

    // At the latest delivery: for how long it had fired.
    steady_time::duration fired_for() const noexcept { return fired_for_; }

private:
    steady_time::duration hold_;
    steady_time::duration recovery_;
    steady_time::duration repeat_;
    std::optional<steady_time> bad_since_;
    std::optional<steady_time> good_since_; // While it fires
    std::optional<steady_time> fires_since_;
    steady_time told_at_{};
    steady_time::duration fired_for_{};
};

} // namespace serin

#endif
