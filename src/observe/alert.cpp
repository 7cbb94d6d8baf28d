// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/observe/alert.hpp>

#include "alert_text.hpp"
#include "webhook_target.hpp"

namespace serin {

std::string_view alert_state_name(alert_state s) noexcept
{
    switch (s)
    {
    case alert_state::firing: return "firing";
    case alert_state::repeated: return "repeated";
    case alert_state::recovered: return "recovered";
    }
    return "unknown";
}

std::string alert_problem(alert_rule const& rule)
{
    int const conditions = rule.p50.has_value() + rule.p90.has_value() + rule.p99.has_value() +
                           rule.error_rate.has_value() + rule.cost_per_hour.has_value() + (rule.no_traffic ? 1 : 0);
    if (conditions != 1)
        return "must have exactly one of p50, p90, p99, error_rate, cost_per_hour and no_traffic";
    for (auto const* time : {&rule.p50, &rule.p90, &rule.p99})
        if (*time && **time <= std::chrono::steady_clock::duration::zero())
            return "has a percentile that is not positive";
    if (rule.error_rate && !(*rule.error_rate >= 0 && *rule.error_rate < 1))
        return "has an error_rate that is not from 0 to 1";
    if (rule.cost_per_hour && *rule.cost_per_hour <= 0)
        return "has a cost_per_hour that is not positive";
    if (rule.window < std::chrono::seconds(1))
        return "has a window shorter than a second";
    for (auto const time : {rule.hold, rule.recovery, rule.repeat})
        if (time < std::chrono::steady_clock::duration::zero())
            return "has a negative time";
    if (!rule.webhook.empty())
    {
        webhook_target target;
        return read_webhook(rule.webhook, target);
    }
    return {};
}

std::string alert_name(alert_rule const& rule)
{
    if (!rule.name.empty())
        return rule.name;
    std::string name = "no traffic";
    if (rule.p50)
        name = "p50 > " + to_short_text(*rule.p50);
    else if (rule.p90)
        name = "p90 > " + to_short_text(*rule.p90);
    else if (rule.p99)
        name = "p99 > " + to_short_text(*rule.p99);
    else if (rule.error_rate)
        name = "error rate > " + to_percent_text(*rule.error_rate);
    else if (rule.cost_per_hour)
        name = "cost per hour > " + to_dollar_text(static_cast<double>(*rule.cost_per_hour));
    if (!rule.upstream.empty())
        name += " at " + rule.upstream;
    if (!rule.model.empty())
        name += " for " + rule.model;
    return name;
}

} // namespace serin
