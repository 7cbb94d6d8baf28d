// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_ALERT_TEXT_HPP
#define SERIN_SRC_OBSERVE_ALERT_TEXT_HPP

#include <serin/observe/alert.hpp>

#include <chrono>
#include <string>

namespace serin {

// "612 ms", "1.5 s", "5 min", "48 h": three digits at most.
std::string to_short_text(std::chrono::steady_clock::duration d);

// "2.5 %"
std::string to_percent_text(double share);

// "$12.50"
std::string to_dollar_text(double nano);

// What Slack's incoming webhooks take.
std::string to_webhook_body(alert const& a);

} // namespace serin

#endif
