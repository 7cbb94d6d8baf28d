// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_BUDGET_HPP
#define SERIN_POLICY_BUDGET_HPP

#include <serin/policy/cost.hpp>

#include <string>

namespace serin {

/// What is done when a budget is used up.
enum class over_budget
{
    warn,   ///< It is reported, and nothing else happens.
    refuse, ///< Until the day is over, what counts towards it fails with `errc::budget_exceeded` and is not sent.
};

/// How much may be spent in a day, by UTC. What is spent is known when an answer has come: calls that are under way
/// when a budget is used up may still go beyond it. A new process begins with nothing spent.
struct budget_params
{
    /// What it is called in reports. Unique within a client.
    std::string name = "daily";

    /// How much. More than 0.
    nano_dollars daily = 0;

    /// What is done when it is used up.
    over_budget when_over = over_budget::refuse;

    /// At this share it is reported for the first time. From 0 to 1.
    double warn_at = 0.85;

    /// Counts only attempts at this upstream. Empty: at any. A call may still go to another upstream when this one's
    /// budget is used up.
    std::string upstream = {};

    /// Counts only calls that ask for this model. Empty: for any.
    std::string model = {};

    /// Counts only calls with this tag. Empty: all.
    std::string tag = {};
};

} // namespace serin

#endif
