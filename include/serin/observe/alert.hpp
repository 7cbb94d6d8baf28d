// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_OBSERVE_ALERT_HPP
#define SERIN_OBSERVE_ALERT_HPP

#include <serin/core/secret.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace serin {

/// Which time an alert looks at.
enum class alert_latency
{
    call,        ///< Until the answer was complete. Of whole answers and of streams.
    first_token, ///< Until the first token of a stream. Whole answers do not count.
};

/// What has become of an alert.
enum class alert_state
{
    firing,    ///< Its condition has held for long enough.
    repeated,  ///< It still fires.
    recovered, ///< Its condition holds no more.
};

/// The name of a state as it stands in the enumeration.
std::string_view alert_state_name(alert_state s) noexcept;

/// An alert that is delivered.
struct alert
{
    std::string name = {};                       ///< The rule's name.
    alert_state state = alert_state::firing;     ///< What has become of it.
    std::string text = {};                       ///< For people: "p99 of calls is 612 ms, above 500 ms, over 5 min".
    std::chrono::steady_clock::duration since{}; ///< For how long it has fired.
};

/// When to shout, and how. Alerts are looked at between `client::start` and `client::stop`.
///
/// Without an `upstream` a rule is about calls as their callers see them, with their retries; with one it is about the
/// attempts at that upstream. Calls that their callers have cancelled, and failures that are the caller's own (a
/// request that is refused with 400, say), count neither as errors nor for durations.
struct alert_rule
{
    /// What it is called. Empty: after its condition, as in "p99 > 500 ms". Unique within a client.
    std::string name = {};

    // --- The condition: exactly one of these ---

    /// Half of the calls take longer than this.
    std::optional<std::chrono::steady_clock::duration> p50 = {};

    /// A tenth of the calls takes longer than this.
    std::optional<std::chrono::steady_clock::duration> p90 = {};

    /// A hundredth of the calls takes longer than this.
    std::optional<std::chrono::steady_clock::duration> p99 = {};

    /// More than this share of the calls fails. From 0 to 1.
    std::optional<double> error_rate = {};

    /// More than this is spent in an hour, in nano-dollars, at the pace of the window.
    std::optional<std::int64_t> cost_per_hour = {};

    /// Not a single call ends within the window.
    bool no_traffic = false;

    // --- What is looked at ---

    /// Only attempts at this upstream. Empty: all calls.
    std::string upstream = {};

    /// Only calls for this model, by the name that callers use for it. Empty: for any.
    std::string model = {};

    /// What p50, p90 and p99 are about.
    alert_latency latency = alert_latency::call;

    /// The latest time, this long. At least a second.
    std::chrono::steady_clock::duration window = std::chrono::minutes(5);

    /// With fewer calls than this in the window, percentiles and error rates say nothing, and the condition does not
    /// hold.
    std::size_t min_calls = 20;

    // --- When it is delivered ---

    /// How long the condition must hold before it fires.
    std::chrono::steady_clock::duration hold = std::chrono::seconds(0);

    /// How long the condition must not hold before it has recovered.
    std::chrono::steady_clock::duration recovery = std::chrono::minutes(1);

    /// How often it is delivered again while it fires. 0: never. From Alertmanager, which has four hours.
    std::chrono::steady_clock::duration repeat = std::chrono::hours(4);

    // --- Where to ---

    /// A URL that takes a POST of `{"text": "..."}`, as Slack's incoming webhooks do. It is a secret: who has it may
    /// post. Empty: none. https, or http to this machine.
    secret webhook = {};

    /// The name of an environment variable that holds the webhook, if it is not given above. Read when the client is
    /// made and when it is reconfigured; if the variable is not set, or holds no such URL, the log says so and the
    /// alert goes nowhere else.
    std::string webhook_env = {};

    /// Called with each alert, on the client's executor. Empty: not called. What it throws is swallowed.
    std::function<void(alert const&)> on_alert = {};
};

/// What is wrong with a rule, for the user; never quotes the webhook. Empty: nothing.
std::string alert_problem(alert_rule const& rule);

/// What a rule is called: its name, or its condition as in "p99 > 500 ms".
std::string alert_name(alert_rule const& rule);

} // namespace serin

#endif
