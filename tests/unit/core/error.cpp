// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/error.hpp>

#include "catch.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <set>
#include <string>

using serin::errc;
using serin::errc_name;
using serin::error_code;
using serin::kind_name;

TEST_CASE("error: every cause has a name and a message of its own")
{
    std::set<std::string> names;
    std::set<std::string> messages;
    int const last = static_cast<int>(errc::memory_limit);
    for (int value = 1; value <= last; ++value)
    {
        error_code const ec = static_cast<errc>(value);
        std::string const name(errc_name(static_cast<errc>(value)));
        CAPTURE(value, name);
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        CHECK(name != "unknown");
        CHECK(names.insert(name).second);
        CHECK(messages.insert(ec.message()).second);
        CHECK(ec.message() != "unknown error");
        CHECK(kind_name(ec) == name);
        CHECK(ec);
    }
}

TEST_CASE("error: values that are no cause are unknown")
{
    for (int value : {-1, 0, static_cast<int>(errc::memory_limit) + 1, 100000})
    {
        CHECK(errc_name(static_cast<errc>(value)) == "unknown");
        CHECK(error_code(value, serin::serin_category()).message() == "unknown error");
    }
}

TEST_CASE("error: the category is one object with a name")
{
    CHECK(std::string(serin::serin_category().name()) == "serin");
    error_code const a = errc::rate_limited;
    error_code const b = make_error_code(errc::rate_limited);
    CHECK(a == b);
    CHECK(a == errc::rate_limited);
    CHECK(a != errc::overloaded);
    CHECK(a != error_code(a.value(), boost::system::generic_category()));
}

TEST_CASE("error: kinds of codes that are not ours")
{
    CHECK(kind_name(error_code()).empty());
    CHECK(kind_name(boost::asio::error::operation_aborted) == "cancelled");
    CHECK(kind_name(boost::asio::error::connection_reset) == "system");
    CHECK(kind_name(make_error_code(boost::system::errc::not_enough_memory)) == "system");
}
