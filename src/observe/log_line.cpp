// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "log_line.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace serin {
namespace {

// With escapes, and what is not UTF-8 replaced.
std::string quoted_log_text(std::string_view text)
{
    return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

bool is_bare_log_text(std::string_view text) noexcept
{
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\'; });
}

} // namespace

log_line::log_line(log_format format, std::string_view event) : format_(format)
{
    if (format_ == log_format::json)
        out_ = '{';
    text("event", event);
}

void log_line::begin(std::string_view name)
{
    if (format_ == log_format::json)
    {
        if (out_.size() > 1)
            out_ += ',';
        out_ += '"';
        out_ += name;
        out_ += "\":";
        return;
    }
    if (!out_.empty())
        out_ += ' ';
    out_ += name;
    out_ += '=';
}

log_line& log_line::text(std::string_view name, std::string_view value)
{
    if (value.empty())
        return *this;
    begin(name);
    if (format_ == log_format::logfmt && is_bare_log_text(value))
        out_ += value;
    else
        out_ += quoted_log_text(value);
    return *this;
}

log_line& log_line::flag(std::string_view name, bool value)
{
    begin(name);
    out_ += value ? "true" : "false";
    return *this;
}

void log_line::decimals(std::string_view name, double value, int digits)
{
    begin(name);
    char text[64];
    auto const end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits);
    out_.append(text, end.ptr);
}

log_line& log_line::share(std::string_view name, double value)
{
    decimals(name, std::clamp(value, 0.0, 1.0), 4);
    return *this;
}

log_line& log_line::time(std::string_view name, std::chrono::steady_clock::duration value)
{
    decimals(name, std::chrono::duration<double, std::milli>(value).count(), 3);
    return *this;
}

log_line& log_line::dollars(std::string_view name, std::int64_t nano)
{
    decimals(name, static_cast<double>(nano) / 1e9, 9);
    return *this;
}

std::string log_line::take()
{
    if (format_ == log_format::json)
        out_ += '}';
    return std::move(out_);
}

} // namespace serin
