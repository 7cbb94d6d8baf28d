// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "alert_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace serin {
namespace {

// As few decimals as tell it to `digits` digits, and none for larger numbers.
std::string short_number(double v, int digits)
{
    char text[64];
    double const magnitude = std::abs(v) < 1 ? 0 : std::floor(std::log10(std::abs(v)));
    int const decimals = std::clamp(digits - 1 - static_cast<int>(magnitude), 0, digits - 1);
    auto const end = std::to_chars(text, text + sizeof text, v, std::chars_format::fixed, decimals).ptr;
    std::string out(text, end);
    if (out.find('.') != std::string::npos)
    {
        out.erase(out.find_last_not_of('0') + 1);
        if (out.back() == '.')
            out.pop_back();
    }
    return out;
}

// The characters that Slack takes for marks.
std::string escaped_for_slack(std::string_view text)
{
    std::string out;
    for (char const c : text)
    {
        if (c == '&')
            out += "&amp;";
        else if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else
            out += c;
    }
    return out;
}

} // namespace

std::string to_short_text(std::chrono::steady_clock::duration d)
{
    double const seconds = std::chrono::duration<double>(d).count();
    if (seconds < 0.9995)
        return short_number(seconds * 1000, 3) + " ms";
    if (seconds < 120)
        return short_number(seconds, 3) + " s";
    if (seconds < 2 * 3600)
        return short_number(seconds / 60, 3) + " min";
    return short_number(seconds / 3600, 3) + " h";
}

std::string to_percent_text(double share)
{
    return short_number(share * 100, 3) + " %";
}

std::string to_dollar_text(double nano)
{
    char text[64];
    auto const end = std::to_chars(text, text + sizeof text, nano / 1e9, std::chars_format::fixed, 2).ptr;
    return "$" + std::string(text, end);
}

std::string to_webhook_body(alert const& a)
{
    std::string text;
    switch (a.state)
    {
    case alert_state::firing: text = "*" + escaped_for_slack(a.name) + "*: "; break;
    case alert_state::repeated:
        text = "*" + escaped_for_slack(a.name) + "* for " + to_short_text(a.since) + ": ";
        break;
    case alert_state::recovered: text = "*" + escaped_for_slack(a.name) + "* has recovered: "; break;
    }
    text += escaped_for_slack(a.text);
    nlohmann::json body;
    body["text"] = std::move(text);
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace serin
