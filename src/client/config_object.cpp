// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "config_object.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <system_error>
#include <utility>

namespace serin {
namespace {

// Keeps sums of durations with the clock's time from overflowing.
constexpr duration longest_config_duration = std::chrono::hours(24 * 365 * 10);

bool is_config_control(char c) noexcept
{
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// Blanks, signs and a missing unit are refused.
std::optional<duration> parse_config_duration(std::string_view text) noexcept
{
    double value = 0;
    char const* const end = text.data() + text.size();
    if (text.empty() || !is_config_digit(text.front()))
        return std::nullopt;
    auto const number = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (number.ec != std::errc())
        return std::nullopt;
    std::string_view const unit(number.ptr, static_cast<std::size_t>(end - number.ptr));
    duration one;
    if (unit == "ms")
        one = std::chrono::milliseconds(1);
    else if (unit == "s")
        one = std::chrono::seconds(1);
    else if (unit == "m")
        one = std::chrono::minutes(1);
    else if (unit == "h")
        one = std::chrono::hours(1);
    else
        return std::nullopt;
    double const ticks = std::round(value * static_cast<double>(one.count()));
    if (ticks > static_cast<double>(longest_config_duration.count()))
        return std::nullopt;
    return duration(static_cast<duration::rep>(ticks));
}

// Numbers come as doubles, whose shortest text is what was written, up to 15 digits.
std::optional<nano_dollars> parse_config_dollars(nlohmann::json const& value)
{
    constexpr int decimals = 9;
    constexpr double most = 9e9; // What fits, and less than 16 digits before the point

    if (!value.is_number() || !(value.get<double>() >= 0) || value.get<double>() > most)
        return std::nullopt;
    char text[400];
    auto const written = std::to_chars(text, text + sizeof text, value.get<double>(), std::chars_format::fixed);
    std::string_view const all(text, static_cast<std::size_t>(written.ptr - text));
    auto const point = std::min(all.find('.'), all.size());
    std::string digits(all.substr(0, point));
    auto const fraction = all.substr(std::min(point + 1, all.size()));
    if (fraction.size() > decimals)
        return std::nullopt;
    digits += fraction;
    digits.append(decimals - fraction.size(), '0');
    nano_dollars amount = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), amount);
    return amount;
}

} // namespace

bool is_config_letter(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_config_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

std::string config_element(std::string_view path, std::size_t index)
{
    return std::string(path) + "[" + std::to_string(index) + "]";
}

void config_check::fail(std::string_view path, std::string_view text, error_code error)
{
    if (failed())
        return;
    error_ = error;
    why_.assign(path);
    if (!path.empty())
        why_ += ": ";
    why_ += text;
    // Names in the file may hold anything.
    std::replace_if(why_.begin(), why_.end(), is_config_control, ' ');
}

config_object::config_object(config_check& check, nlohmann::json const& value, std::string path)
    : check_(check),
      path_(std::move(path))
{
    if (value.is_object())
        object_ = &value;
    else
        check_.fail(path_, "must be an object");
}

std::string config_object::path(std::string_view name) const
{
    std::string full = path_;
    if (!full.empty())
        full += '.';
    full += name;
    return full;
}

std::string config_object::path(std::string_view name, std::size_t index) const
{
    return config_element(path(name), index);
}

void config_object::fail(std::string_view name, std::string_view text, error_code error) const
{
    check_.fail(path(name), text, error);
}

nlohmann::json const* config_object::find(std::string_view name)
{
    asked_.emplace(name);
    if (!object_)
        return nullptr;
    auto const member = object_->find(std::string(name));
    return member == object_->end() ? nullptr : &*member;
}

std::optional<config_object> config_object::object(std::string_view name)
{
    auto const* const value = find(name);
    if (!value)
        return std::nullopt;
    return config_object(check_, *value, path(name));
}

bool config_object::text(std::string_view name, std::string& out)
{
    auto const* const value = find(name);
    if (!value)
        return false;
    if (!value->is_string())
    {
        fail(name, "must be a string");
        return false;
    }
    out = value->get<std::string>();
    if (std::any_of(out.begin(), out.end(), is_config_control))
        fail(name, "must not hold control characters");
    return true;
}

void config_object::flag(std::string_view name, bool& out)
{
    auto const* const value = find(name);
    if (value && value->is_boolean())
        out = value->get<bool>();
    else if (value)
        fail(name, "must be true or false");
}

std::optional<std::uint64_t> config_object::whole_number(std::string_view name, std::uint64_t from, std::uint64_t to)
{
    auto const* const value = find(name);
    if (!value)
        return std::nullopt;
    if (value->is_number_unsigned() && value->get<std::uint64_t>() >= from && value->get<std::uint64_t>() <= to)
        return value->get<std::uint64_t>();
    fail(name, "must be a whole number from " + std::to_string(from));
    return std::nullopt;
}

void config_object::number(std::string_view name, double& out, double from)
{
    auto const* const value = find(name);
    if (!value)
        return;
    if (value->is_number() && value->get<double>() >= from)
        out = value->get<double>();
    else
        fail(name, "must be a number from " + std::to_string(static_cast<int>(from)));
}

void config_object::share(std::string_view name, double& out)
{
    auto const* const value = find(name);
    if (!value)
        return;
    if (value->is_number() && value->get<double>() >= 0 && value->get<double>() <= 1)
        out = value->get<double>();
    else
        fail(name, "must be a number from 0 to 1");
}

void config_object::time(std::string_view name, duration& out, duration from)
{
    auto const* const value = find(name);
    if (!value)
        return;
    auto const parsed = value->is_string() ? parse_config_duration(value->get_ref<std::string const&>()) : std::nullopt;
    if (!parsed)
        fail(name, "must be a duration such as \"1.5s\", in ms, s, m or h");
    else if (*parsed < from)
        fail(name, from == duration(1)
                       ? "must not be zero"
                       : "must be at least " + std::to_string(from / std::chrono::milliseconds(1)) + " ms");
    else
        out = *parsed;
}

bool config_object::dollars(std::string_view name, nano_dollars& out)
{
    auto const* const value = find(name);
    if (!value)
        return false;
    if (auto const amount = parse_config_dollars(*value))
        out = *amount;
    else
        fail(name, "must be a number of dollars from 0, with at most 9 decimals");
    return true;
}

bool config_object::is_null(std::string_view name)
{
    auto const* const value = find(name);
    return value && value->is_null();
}

void config_object::optional_share(std::string_view name, std::optional<double>& out)
{
    double value = 0;
    if (is_null(name))
        out.reset();
    else if (find(name))
    {
        share(name, value);
        out = value;
    }
}

void config_object::optional_time(std::string_view name, std::optional<duration>& out, duration from)
{
    duration value{};
    if (is_null(name))
        out.reset();
    else if (find(name))
    {
        time(name, value, from);
        out = value;
    }
}

void config_object::fail_word(std::string_view name, std::vector<std::string_view> const& known) const
{
    std::string text = "must be ";
    for (std::size_t i = 0; i < known.size(); ++i)
    {
        if (i != 0)
            text += i + 1 == known.size() ? " or " : ", ";
        text += '"';
        text += known[i];
        text += '"';
    }
    fail(name, text);
}

void config_object::no_others() const
{
    if (!object_)
        return;
    for (auto const& member : object_->items())
        if (!asked_.contains(member.key()))
            fail(member.key(), "there is no such setting");
}

} // namespace serin
