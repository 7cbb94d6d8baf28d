// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Whole answers of many providers, as recorded.

#include "../../src/chat/wire_read.hpp"
#include "expected.hpp"

TEST_CASE("recorded completions come out as expected")
{
    serin::json_reader reader; // one for all, as on a connection
    for (auto const& c : serin::test::conformance_cases("completions.json"))
    {
        INFO(c.at("name").get<std::string>());
        serin::chat_response response;
        serin::server_error err;
        serin::error_code const ec = serin::read_response(reader, c.at("raw_body").get<std::string>(), response, err);
        INFO(ec.message());
        CHECK_FALSE(ec);
        serin::test::check_response(response, c.at("expected"));
    }
}
