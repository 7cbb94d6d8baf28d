// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "alert_watch.hpp"

#include "alert_text.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace serin {
namespace {

// What says nothing about the service: the caller has cancelled, or asked for what cannot be answered.
constexpr errc callers_own_errors[] = {errc::invalid_argument, errc::invalid_request, errc::context_length_exceeded,
    errc::content_filtered, errc::refused, errc::length_limited, errc::too_many_rounds, errc::budget_exceeded};

bool is_callers_own(error_code const& ec) noexcept
{
    return ec == asio::error::operation_aborted ||
           std::ranges::any_of(callers_own_errors, [&](errc own) { return ec == own; });
}

std::optional<double> quantile_of(alert_rule const& rule) noexcept
{
    if (rule.p50)
        return 0.5;
    if (rule.p90)
        return 0.9;
    if (rule.p99)
        return 0.99;
    return std::nullopt;
}

double cost_at_pace(std::int64_t cost, steady_time::duration window)
{
    return static_cast<double>(cost) * (std::chrono::duration<double>(std::chrono::hours(1)) / window);
}

} // namespace

void alert_watch::figures::subtract(figures const& other)
{
    judged -= other.judged;
    failed -= other.failed;
    timed -= other.timed;
    slow -= other.slow;
    cost -= other.cost;
    took.subtract(other.took);
}

void alert_watch::figures::clear() noexcept
{
    judged = failed = timed = slow = 0;
    cost = 0;
    took.clear();
}

alert_watch::alert_watch(alert_rule rule, steady_time now)
    : rule_(std::move(rule)),
      quantile_(quantile_of(rule_)),
      last_end_(now),
      latest_(rule_.window),
      timer_(rule_)
{}

void alert_watch::deliver_to(secret webhook, std::function<void(alert const&)> on_alert)
{
    rule_.webhook = std::move(webhook);
    rule_.on_alert = std::move(on_alert);
}

bool alert_watch::concerns(call_info const& call) const noexcept
{
    return rule_.model.empty() || rule_.model == call.model;
}

std::optional<steady_time::duration> alert_watch::threshold() const noexcept
{
    return rule_.p50 ? rule_.p50 : rule_.p90 ? rule_.p90 : rule_.p99;
}

void alert_watch::add_time(figures& f, steady_time::duration took) const
{
    ++f.timed;
    if (took > *threshold())
        ++f.slow;
    f.took.add(took);
}

void alert_watch::add_end(error_code const& ec, steady_time::duration took, std::int64_t cost, steady_time now)
{
    last_end_ = std::max(last_end_, now);
    latest_.add(now, [&](figures& f) {
        f.cost += cost;
        if (ec && is_callers_own(ec))
            return;
        ++f.judged;
        if (ec)
            ++f.failed;
        // A failure that takes as long as a time-out is slow too; one that comes at once must not make up for others.
        if (quantile_ && rule_.latency == alert_latency::call && (!ec || took > *threshold()))
            add_time(f, took);
    });
}

void alert_watch::add(attempt_ended const& event)
{
    if (concerns(event.call) && !rule_.upstream.empty() && rule_.upstream == event.upstream)
        add_end(event.error, event.took, event.cost, event.at);
}

void alert_watch::add(call_ended const& event)
{
    if (concerns(event.call) && rule_.upstream.empty())
        add_end(event.error, event.took, event.cost, event.at);
}

void alert_watch::add(first_token_received const& event)
{
    if (!quantile_ || rule_.latency != alert_latency::first_token || !concerns(event.call))
        return;
    if (rule_.upstream.empty())
        latest_.add(event.at, [&](figures& f) { add_time(f, event.after_call); });
    else if (rule_.upstream == event.upstream)
        latest_.add(event.at, [&](figures& f) { add_time(f, event.after_attempt); });
}

bool alert_watch::holds(figures const& f, steady_time now) const
{
    if (rule_.no_traffic)
        return now - last_end_ >= rule_.window;
    if (rule_.cost_per_hour)
        return cost_at_pace(f.cost, rule_.window) > static_cast<double>(*rule_.cost_per_hour);
    if (rule_.error_rate)
        return f.judged != 0 && f.judged >= rule_.min_calls &&
               static_cast<double>(f.failed) > *rule_.error_rate * static_cast<double>(f.judged);
    if (f.timed == 0 || f.timed < rule_.min_calls)
        return false;
    // Exact, other than the quantile itself: it is longer if fewer than its rank are no longer.
    double const rank = std::ceil(*quantile_ * static_cast<double>(f.timed) - 1e-6);
    return static_cast<double>(f.timed - f.slow) < rank;
}

std::string alert_watch::text(figures const& f, bool holding) const
{
    std::string what;
    if (rule_.no_traffic)
        what = holding ? "no call has ended" : "calls end again";
    else if (rule_.cost_per_hour)
        what = to_dollar_text(cost_at_pace(f.cost, rule_.window)) + " an hour, limit " +
               to_dollar_text(static_cast<double>(*rule_.cost_per_hour));
    else if (rule_.error_rate)
        what = (f.judged == 0 ? "no calls"
                              : to_percent_text(static_cast<double>(f.failed) / static_cast<double>(f.judged)) +
                                    " failed of " + std::to_string(f.judged)) +
               ", limit " + to_percent_text(*rule_.error_rate);
    else
    {
        auto const now_at = f.took.quantile(*quantile_);
        what = "p" + std::to_string(std::lround(*quantile_ * 100)) +
               (rule_.latency == alert_latency::first_token ? " to the first token" : "") + " is " +
               (now_at ? to_short_text(*now_at) : "unknown") + " for " + std::to_string(f.timed) + " calls, limit " +
               to_short_text(*threshold());
    }
    what += ", in the last " + to_short_text(rule_.window);
    if (!rule_.upstream.empty())
        what += ", upstream " + rule_.upstream;
    if (!rule_.model.empty())
        what += ", model " + rule_.model;
    return what;
}

std::optional<alert> alert_watch::check(steady_time now)
{
    figures const& f = latest_.sum(now);
    bool const holding = holds(f, now);
    auto const state = timer_.resume(holding, now);
    if (!state)
        return std::nullopt;
    alert a;
    a.name = alert_name(rule_);
    a.state = *state;
    a.text = text(f, holding);
    a.since = timer_.fired_for();
    return a;
}

} // namespace serin
