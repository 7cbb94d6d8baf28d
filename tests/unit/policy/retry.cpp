// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/policy/retry.hpp>

#include "catch.hpp"

#include <chrono>
#include <clocale>
#include <optional>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

using time_point = std::chrono::system_clock::time_point;

time_point at(int year, unsigned month, unsigned day, std::chrono::seconds time)
{
    using namespace std::chrono;
    return sys_days(year_month_day(std::chrono::year(year), std::chrono::month(month), std::chrono::day(day))) + time;
}

// Fri, 29 Sep 2023 16:26:37 GMT
time_point const now = at(2023, 9, 29, 16h + 26min + 37s);

std::optional<std::chrono::milliseconds> field(std::string name, std::string value, time_point when = now)
{
    serin::headers fields;
    fields.push_back(serin::header(std::move(name), std::move(value)));
    return serin::retry_after(fields, when);
}

} // namespace

TEST_CASE("retry_after: no field, no delay")
{
    CHECK_FALSE(serin::retry_after(serin::headers(), now));
    CHECK_FALSE(field("X-Other", "5"));
}

TEST_CASE("retry_after: seconds, also fractions of them")
{
    CHECK(field("Retry-After", "20") == 20s);
    CHECK(field("retry-AFTER", "121") == 121s);
    CHECK(field("Retry-After", "1.5") == 1500ms);
    CHECK(field("Retry-After", "  3 ") == 3s);
    CHECK(field("Retry-After", "86400") == 24h);
}

TEST_CASE("retry_after: milliseconds")
{
    CHECK(field("retry-after-ms", "250") == 250ms);
    CHECK(field("Retry-After-Ms", "1250.0") == 1250ms);
}

TEST_CASE("retry_after: a positive delay never becomes zero")
{
    CHECK(field("retry-after-ms", "0.001") == 1ms);
    CHECK(field("Retry-After", "0.0004") == 1ms);
    CHECK(field("retry-after-ms", "10.2") == 11ms);
}

TEST_CASE("retry_after: milliseconds win over seconds if they can be used")
{
    serin::headers fields;
    fields.push_back(serin::header("Retry-After", "7"));
    fields.push_back(serin::header("retry-after-ms", "300"));
    CHECK(serin::retry_after(fields, now) == 300ms);
    for (auto const* bad : {"", "0", "-1", "soon", "nan"})
    {
        fields.back().value = bad;
        CAPTURE(bad);
        CHECK(serin::retry_after(fields, now) == 7s);
    }
}

TEST_CASE("retry_after: what is no delay is nothing")
{
    for (auto const* bad : {"", " ", "0", "0.0", "-0", "-10", "-0.5", "nan", "NaN", "-nan", "inf", "-inf", "infinity",
             "1e999", "1e-999", "99999999999999999999999999999999999", "1e300", "31708800000", "5s", "5 s", "5,5",
             "0x10", "+5", "1 2", "soon", "\xff", "."})
    {
        CAPTURE(bad);
        CHECK_FALSE(field("Retry-After", bad));
        CHECK_FALSE(field("retry-after-ms", bad));
    }
    CHECK_FALSE(field("Retry-After", std::string("5\0", 2)));
}

TEST_CASE("retry_after: up to about a year is believed")
{
    CHECK(field("Retry-After", "31536000") == 365 * 24h);
    CHECK_FALSE(field("Retry-After", "31622401"));
    CHECK(field("Retry-After", "Sat, 28 Sep 2024 16:26:37 GMT") == 365 * 24h);
    CHECK_FALSE(field("Retry-After", "Mon, 30 Sep 2024 16:26:38 GMT"));
    CHECK_FALSE(field("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"));
}

TEST_CASE("retry_after: dates in the three forms of HTTP")
{
    CHECK(field("Retry-After", "Fri, 29 Sep 2023 16:26:57 GMT") == 20s);
    CHECK(field("Retry-After", "Friday, 29-Sep-23 16:26:57 GMT") == 20s);
    CHECK(field("Retry-After", "Fri Sep 29 16:26:57 2023") == 20s);
    CHECK(field("Retry-After", "Sat Oct  7 16:26:37 2023") == 8 * 24h);
    CHECK(field("Retry-After", "Sun, 01 Oct 2023 00:00:00 GMT") == 24h + 7h + 33min + 23s);
    CHECK(field("Retry-After", "Thu, 29 Feb 2024 00:00:00 GMT", at(2024, 2, 28, 23h)) == 1h);
    // A leap second
    CHECK(field("Retry-After", "Sat, 31 Dec 2016 23:59:60 GMT", at(2016, 12, 31, 23h + 59min)) == 60s);
}

TEST_CASE("retry_after: a fraction of a second of the clock is kept")
{
    CHECK(field("Retry-After", "Fri, 29 Sep 2023 16:26:57 GMT", now + 400ms) == 19600ms);
}

TEST_CASE("retry_after: years of two digits are near the clock's")
{
    auto const end_of_century = at(2099, 12, 31, 23h);
    CHECK(field("Retry-After", "Friday, 01-Jan-00 00:00:00 GMT", end_of_century) == 1h);
    CHECK_FALSE(field("Retry-After", "Sunday, 06-Nov-94 08:49:37 GMT"));
    CHECK_FALSE(field("Retry-After", "Thursday, 31-Dec-99 23:00:00 GMT", at(2100, 1, 1, 0s)));
}

TEST_CASE("retry_after: dates that have passed are nothing")
{
    CHECK_FALSE(field("Retry-After", "Fri, 29 Sep 2023 16:26:37 GMT"));
    CHECK_FALSE(field("Retry-After", "Fri, 29 Sep 2023 16:26:27 GMT"));
    CHECK_FALSE(field("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"));
    CHECK_FALSE(field("Retry-After", "Sat, 01 Jan 0000 00:00:00 GMT"));
}

TEST_CASE("retry_after: what is no date is nothing")
{
    for (auto const* bad : {"Zun, 29 Sep 2023 16:26:57 GMT", "Fri, 29 Sep 100000 16:26:57 GMT",
             "Fri, 29 Sep 2023 16:26:57", "Fri, 29 Sep 2023 16:26:57 PST", "Fri, 29 Sep 2023 16:26:57 GMT.",
             "Fri, 9 Oct 2023 16:26:57 GMT", "Fri, 31 Sep 2023 16:26:57 GMT", "Wed, 29 Feb 2023 16:26:57 GMT",
             "Fri, 00 Oct 2023 16:26:57 GMT", "Fri, 29 Sxp 2023 16:26:57 GMT", "Fri, 29 Sep 2023 24:00:00 GMT",
             "Fri, 29 Sep 2023 16:60:00 GMT", "Fri, 29 Sep 2023 16:26:61 GMT", "Fri, 29 Sep -023 16:26:57 GMT",
             "Fri, 29 Sep 2023  16:26:57 GMT", "Fri, 29 Sep", "Fri", "Friday, 29-Sep-2023 16:26:57 GMT",
             "Fri, 29-Sep-23 16:26:57 GMT", "Fri Sep 7 16:26:57 2023", "2023-09-29T16:26:57Z"})
    {
        CAPTURE(bad);
        CHECK_FALSE(field("Retry-After", bad));
    }
}

TEST_CASE("retry_after: no clock makes it overflow")
{
    for (time_point when : {time_point::min(), time_point::max(), time_point()})
    {
        CHECK_FALSE(field("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT", when));
        CHECK_FALSE(field("Retry-After", "Friday, 31-Dec-49 23:59:59 GMT", when));
        CHECK(field("Retry-After", "5", when) == 5s);
    }
}

TEST_CASE("retry_after: the locale does not matter")
{
    std::string const before = std::setlocale(LC_ALL, nullptr);
    if (!std::setlocale(LC_ALL, "de_DE.UTF-8"))
        WARN("no German locale here");
    CHECK(field("Retry-After", "1.5") == 1500ms);
    std::setlocale(LC_ALL, before.c_str());
}
