// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Bodies of error answers, as recorded.

#include "../../src/chat/errors.hpp"
#include "../../src/chat/wire_read.hpp"
#include "catch.hpp"
#include "load.hpp"

namespace {

using serin::errc;

// The data has coarser causes than the library.
bool is_of_category(errc cause, std::string const& category)
{
    if (category == "bad_request")
        return cause == errc::invalid_request || cause == errc::context_length_exceeded ||
               cause == errc::content_filtered;
    if (category == "server")
        return cause == errc::server_error || cause == errc::overloaded;
    if (category == "auth")
        return cause == errc::authentication || cause == errc::permission;
    if (category == "not_found")
        return cause == errc::not_found;
    if (category == "rate_limit")
        return cause == errc::rate_limited;
    return category == "other" && cause == errc::invalid_request;
}

} // namespace

TEST_CASE("recorded error bodies come out as expected")
{
    serin::json_reader reader;
    for (auto const& c : serin::test::conformance_cases("errors.json"))
    {
        INFO(c.at("name").get<std::string>());
        auto const& expected = c.at("expected");
        serin::server_error err;
        serin::read_error_body(reader, c.at("body").get<std::string>(), err);
        CHECK(err.message == serin::test::text_at(expected, "message"));
        CHECK(err.type == serin::test::text_at(expected, "type"));
        auto const& code = expected.at("code");
        CHECK(err.code_is_number == code.is_number());
        CHECK(err.code == (code.is_number() ? code.dump() : serin::test::text_at(expected, "code")));
        errc const cause = serin::classify(c.at("status").get<int>(), err);
        INFO(serin::errc_name(cause));
        CHECK(is_of_category(cause, expected.at("category").get<std::string>()));
    }
}
