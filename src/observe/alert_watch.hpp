// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_ALERT_WATCH_HPP
#define SERIN_SRC_OBSERVE_ALERT_WATCH_HPP

#include "alert_timer.hpp"
#include "duration_counts.hpp"
#include "sliding_sum.hpp"

#include <serin/observe/event.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace serin {

// Watches over one rule: gathers the figures of its window and decides when it is delivered. No clock, no lock.
class alert_watch
{
public:
    // Nothing is known of the time before `now`.
    alert_watch(alert_rule rule, steady_time now);

    alert_rule const& rule() const noexcept { return rule_; }

    // It begins to be told of calls.
    void begin(steady_time now) noexcept { last_end_ = now; }

    // Other places to deliver to.
    void deliver_to(secret webhook, std::function<void(alert const&)> on_alert);

    void add(attempt_ended const& event);
    void add(call_ended const& event);
    void add(first_token_received const& event);

    // What is to be delivered. Nothing: nothing.
    std::optional<alert> check(steady_time now);

private:
    struct figures
    {
        std::uint64_t judged = 0; // Without those that say nothing about the service
        std::uint64_t failed = 0;
        std::uint64_t timed = 0;
        std::uint64_t slow = 0; // Of them: longer than the rule has it
        std::int64_t cost = 0;
        duration_counts took;

        void subtract(figures const& other);
        void clear() noexcept;
    };

    bool concerns(call_info const& call) const noexcept;
    void add_end(error_code const& ec, steady_time::duration took, std::int64_t cost, steady_time now);
    void add_time(figures& f, steady_time::duration took) const;
    std::optional<steady_time::duration> threshold() const noexcept;
    bool holds(figures const& f, steady_time now) const;
    std::string text(figures const& f, bool holding) const;

    alert_rule rule_;
    std::optional<double> quantile_; // The rule's
    steady_time last_end_;           // Of a call; at first, when it began to watch
    sliding_sum<figures> latest_;
    alert_timer timer_;
};

} // namespace serin

#endif
