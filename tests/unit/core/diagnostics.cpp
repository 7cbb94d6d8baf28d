// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/diagnostics.hpp>

#include "catch.hpp"

#include <boost/asio/error.hpp>

#include <chrono>
#include <set>
#include <string>

using serin::call_phase;
using serin::describe;
using serin::diagnostics;
using serin::errc;

TEST_CASE("diagnostics: phases have names")
{
    std::set<std::string> names;
    int const last = static_cast<int>(call_phase::stream);
    for (int value = 0; value <= last; ++value)
        CHECK(names.insert(std::string(phase_name(static_cast<call_phase>(value)))).second);
    CHECK(names.count("unknown") == 0);
    CHECK(phase_name(call_phase::tls) == "tls");
    CHECK(phase_name(static_cast<call_phase>(last + 1)) == "unknown");
}

TEST_CASE("diagnostics: describe puts what is known on one line")
{
    diagnostics diag;
    CHECK(describe(errc::connect_failed, diag) == "connect_failed: no address of the host accepted a connection");
    diag.message = "Slow down.";
    CHECK(describe(errc::rate_limited, diag) == "rate_limited: Slow down.");
    diag.status = 429;
    CHECK(describe(errc::rate_limited, diag) == "rate_limited: Slow down. (status 429)");
    diag.request_id = "req_1";
    CHECK(describe(errc::rate_limited, diag) == "rate_limited: Slow down. (status 429) (request req_1)");
}

TEST_CASE("diagnostics: describe says that a call was cancelled")
{
    CHECK_THAT(describe(boost::asio::error::operation_aborted, diagnostics()), ContainsSubstring("cancelled: "));
}

TEST_CASE("diagnostics: the server's text cannot break the line or reach a terminal's controls")
{
    diagnostics diag;
    diag.message = std::string("one\r\ntwo\x1b[31m\x7f\0three", 20);
    diag.request_id = "a\nb";
    std::string const line = describe(errc::server_error, diag);
    for (char c : line)
        CHECK((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
    CHECK_THAT(line, ContainsSubstring("one"));
    CHECK_THAT(line, ContainsSubstring("three"));
}

TEST_CASE("diagnostics: a fresh one knows nothing")
{
    diagnostics const diag;
    CHECK(diag.status == 0);
    CHECK_FALSE(diag.code_is_number);
    CHECK(diag.phase == call_phase::none);
    CHECK(diag.attempts.empty());
    CHECK_FALSE(diag.retry_after);
    CHECK(diag.partial == nullptr);
}

TEST_CASE("diagnostics: describe says why a call was not tried again, unless that is plain")
{
    serin::diagnostics d;
    d.message = "Slow down";
    auto const line = [&](serin::give_up why) {
        d.gave_up = why;
        return describe(serin::make_error_code(serin::errc::rate_limited), d);
    };
    std::string const plain = "rate_limited: Slow down";
    CHECK(line(serin::give_up::none) == plain);
    CHECK(line(serin::give_up::not_retryable) == plain);
    CHECK(line(serin::give_up::attempts) == plain);
    CHECK(line(serin::give_up::budget) == plain + " (not tried again: the retry budget is empty)");
    CHECK(line(serin::give_up::deadline) == plain + " (not tried again: the deadline comes first)");
    CHECK(line(serin::give_up::token_seen) == plain + " (not tried again: a part of the answer was handed out)");
    d.retry_after = std::chrono::seconds(90);
    CHECK(line(serin::give_up::retry_after) == plain + " (not tried again: there is no answer for another 90 s)");
}
