// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/retry.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace serin {
namespace {

using std::chrono::milliseconds;

// What is later than this is a mistake of the server. Also keeps the sums below from overflowing.
constexpr milliseconds retry_horizon = std::chrono::hours(24 * 366);

constexpr std::array<std::string_view, 12> retry_months = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr std::array<std::string_view, 7> retry_days = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

std::string_view retry_trimmed(std::string_view s) noexcept
{
    while (!s.empty() && (s.front() == ' ' || s.front() == '\t'))
        s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\t'))
        s.remove_suffix(1);
    return s;
}

// A delay is a whole number of milliseconds, rounded up: one that is positive must not become zero.
std::optional<milliseconds> retry_delay(double ms) noexcept
{
    // NaN fails the comparison, as it should.
    if (!(ms > 0 && ms <= static_cast<double>(retry_horizon.count())))
        return std::nullopt;
    return milliseconds(static_cast<std::int64_t>(std::ceil(ms)));
}

std::optional<milliseconds> retry_number(std::string_view text, double unit_in_ms) noexcept
{
    double value = 0;
    char const* const end = text.data() + text.size();
    auto const parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end)
        return std::nullopt;
    return retry_delay(value * unit_in_ms);
}

// Takes a date apart from left to right. Once something does not fit, nothing does any more.
class retry_date_reader
{
    std::string_view rest_;
    bool failed_ = false;

public:
    explicit retry_date_reader(std::string_view text) : rest_(text) {}

    bool done() const noexcept { return !failed_ && rest_.empty(); }

    void literal(std::string_view text) noexcept
    {
        if (failed_ || !rest_.starts_with(text))
            failed_ = true;
        else
            rest_.remove_prefix(text.size());
    }

    // Exactly that many digits; with `padded` the first may be a blank instead.
    int digits(std::size_t count, bool padded = false) noexcept
    {
        if (failed_ || rest_.size() < count)
            failed_ = true;
        int value = 0;
        for (std::size_t i = 0; !failed_ && i < count; ++i)
        {
            char const c = rest_[i];
            if (c >= '0' && c <= '9')
                value = value * 10 + (c - '0');
            else if (!(padded && i == 0 && c == ' '))
                failed_ = true;
        }
        if (!failed_)
            rest_.remove_prefix(count);
        return value;
    }

    // The place of the first name that the text begins with.
    template <std::size_t Size>
    unsigned name(std::array<std::string_view, Size> const& names, std::size_t length) noexcept
    {
        for (unsigned i = 0; !failed_ && i < Size; ++i)
        {
            std::string_view const wanted = names[i].substr(0, length);
            if (rest_.starts_with(wanted))
            {
                rest_.remove_prefix(wanted.size());
                return i;
            }
        }
        failed_ = true;
        return 0;
    }
};

struct retry_date
{
    int year = 0;
    unsigned month = 0; // From 0
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
};

void retry_read_time(retry_date_reader& in, retry_date& date) noexcept
{
    date.hour = in.digits(2);
    in.literal(":");
    date.minute = in.digits(2);
    in.literal(":");
    date.second = in.digits(2);
}

// Milliseconds since 1970: nanoseconds would overflow in the year 2262.
std::optional<milliseconds> retry_time_of(retry_date const& d) noexcept
{
    // The second 60 is a leap second.
    if (d.hour > 23 || d.minute > 59 || d.second > 60)
        return std::nullopt;
    std::chrono::year_month_day const day{
        std::chrono::year(d.year), std::chrono::month(d.month + 1), std::chrono::day(static_cast<unsigned>(d.day))};
    if (!day.ok())
        return std::nullopt;
    return std::chrono::sys_days(day).time_since_epoch() + std::chrono::hours(d.hour) + std::chrono::minutes(d.minute) +
           std::chrono::seconds(d.second);
}

// The three forms of RFC 9110, 5.6.7. That the day of the week is the right one is not checked.
std::optional<milliseconds> retry_parse_date(std::string_view text, milliseconds now) noexcept
{
    retry_date date;
    retry_date_reader fixed(text); // Sun, 06 Nov 1994 08:49:37 GMT
    fixed.name(retry_days, 3);
    fixed.literal(", ");
    date.day = fixed.digits(2);
    fixed.literal(" ");
    date.month = fixed.name(retry_months, 3);
    fixed.literal(" ");
    date.year = fixed.digits(4);
    fixed.literal(" ");
    retry_read_time(fixed, date);
    fixed.literal(" GMT");
    if (fixed.done())
        return retry_time_of(date);

    retry_date_reader old(text); // Sunday, 06-Nov-94 08:49:37 GMT
    old.name(retry_days, std::string_view::npos);
    old.literal(", ");
    date.day = old.digits(2);
    old.literal("-");
    date.month = old.name(retry_months, 3);
    old.literal("-");
    date.year = old.digits(2);
    old.literal(" ");
    retry_read_time(old, date);
    old.literal(" GMT");
    if (old.done())
    {
        // The century in which the date is less than 50 years ahead.
        std::chrono::year_month_day const today{std::chrono::sys_days(std::chrono::floor<std::chrono::days>(now))};
        int const this_year = static_cast<int>(today.year());
        date.year += this_year - this_year % 100;
        if (date.year - this_year > 50)
            date.year -= 100;
        else if (this_year - date.year >= 50)
            date.year += 100;
        return retry_time_of(date);
    }

    retry_date_reader c(text); // Sun Nov  6 08:49:37 1994
    c.name(retry_days, 3);
    c.literal(" ");
    date.month = c.name(retry_months, 3);
    c.literal(" ");
    date.day = c.digits(2, true);
    c.literal(" ");
    retry_read_time(c, date);
    c.literal(" ");
    date.year = c.digits(4);
    if (c.done())
        return retry_time_of(date);
    return std::nullopt;
}

} // namespace

std::optional<milliseconds> retry_after(headers const& fields, std::chrono::system_clock::time_point now)
{
    if (auto const delay = retry_number(retry_trimmed(fields.find("retry-after-ms")), 1))
        return delay;

    std::string_view const text = retry_trimmed(fields.find("retry-after"));
    if (auto const delay = retry_number(text, 1000))
        return delay;
    auto const now_ms = std::chrono::floor<milliseconds>(now.time_since_epoch());
    if (auto const at = retry_parse_date(text, now_ms))
        return retry_delay(static_cast<double>((*at - now_ms).count()));
    return std::nullopt;
}

} // namespace serin
