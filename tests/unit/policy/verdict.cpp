// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/policy/verdict.hpp"

#include <boost/asio/error.hpp>

#include "catch.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

using serin::errc;
using serin::judge;
using serin::key_fate;
using serin::verdict;

namespace {

std::string text_of(verdict const& v)
{
    std::string text;
    text += v.same ? "same " : "";
    text += v.other ? "other " : "";
    text += v.counts ? "counts " : "";
    text += v.cools ? "cools " : "";
    switch (v.key)
    {
    case key_fate::keep: break;
    case key_fate::rest: text += "rest "; break;
    case key_fate::rest_long: text += "rest_long "; break;
    case key_fate::quarantine: text += "quarantine "; break;
    }
    if (!text.empty())
        text.pop_back();
    return text;
}

struct row
{
    errc cause;
    char const* means;
    char const* should_retry;     // x-should-retry: true
    char const* should_not_retry; // x-should-retry: false
};

row const rows[] = {
    {errc::request_timeout, "same other counts", "same other counts", "other counts"},
    {errc::conflict, "same other counts", "same other counts", "other counts"},
    {errc::rate_limited, "same other cools rest", "same other cools rest", "other cools rest"},
    {errc::overloaded, "same other counts", "same other counts", "other counts"},
    {errc::server_error, "same other counts", "same other counts", "other counts"},

    {errc::resolve_failed, "same other counts", "same other counts", "other counts"},
    {errc::connect_failed, "same other counts", "same other counts", "other counts"},
    {errc::tls_failed, "same other counts", "same other counts", "other counts"},
    {errc::connection_lost, "same other counts", "same other counts", "other counts"},
    {errc::pool_timeout, "same other", "same other", "other"},
    {errc::connect_timeout, "same other counts", "same other counts", "other counts"},
    {errc::tls_timeout, "same other counts", "same other counts", "other counts"},
    {errc::write_timeout, "same other counts", "same other counts", "other counts"},
    {errc::first_byte_timeout, "same other counts", "same other counts", "other counts"},
    {errc::first_token_timeout, "same other counts", "same other counts", "other counts"},
    {errc::idle_timeout, "same other counts", "same other counts", "other counts"},
    {errc::stream_truncated, "same other counts", "same other counts", "other counts"},
    {errc::stream_error, "same other counts", "same other counts", "other counts"},
    {errc::malformed_response, "same other counts", "same other counts", "other counts"},

    {errc::authentication, "other counts quarantine", "same other counts quarantine", "other counts quarantine"},
    {errc::quota_exhausted, "other counts rest_long", "same other counts rest_long", "other counts rest_long"},
    {errc::permission, "", "same other", ""},
    {errc::budget_exceeded, "other", "other", "other"},
    {errc::invalid_key, "other", "other", "other"},
    {errc::redirected, "other counts", "same other counts", "other counts"},
    {errc::not_found, "", "same other", ""},

    {errc::invalid_request, "", "same other", ""},
    {errc::context_length_exceeded, "", "same other", ""},
    {errc::content_filtered, "", "same other", ""},
    {errc::refused, "", "", ""},
    {errc::length_limited, "", "", ""},
    {errc::too_many_rounds, "", "", ""},
    {errc::response_too_large, "", "", ""},
    {errc::memory_limit, "", "", ""},
    {errc::invalid_argument, "", "", ""},
    {errc::invalid_url, "", "", ""},
    {errc::insecure_transport, "", "", ""},
    {errc::token_idle_timeout, "", "", ""},
    {errc::deadline_exceeded, "", "", ""},
};

} // namespace

TEST_CASE("judge: what every cause means")
{
    for (row const& r : rows)
    {
        CAPTURE(serin::errc_name(r.cause));
        CHECK(text_of(judge(r.cause, {}, false)) == r.means);
        CHECK(text_of(judge(r.cause, true, false)) == r.should_retry);
        CHECK(text_of(judge(r.cause, false, false)) == r.should_not_retry);
    }
}

TEST_CASE("judge: no cause is forgotten")
{
    int count = 0;
    for (int value = 1; value < 1000; ++value)
    {
        auto const cause = static_cast<errc>(value);
        if (serin::errc_name(cause) == "unknown")
            continue;
        ++count;
        CAPTURE(serin::errc_name(cause));
        CHECK(std::ranges::count(rows, cause, &row::cause) == 1);
    }
    CHECK(count == static_cast<int>(std::size(rows)));
}

TEST_CASE("judge: whose the model is decides about 404 and nothing else")
{
    CHECK(text_of(judge(errc::not_found, {}, true)) == "other counts");
    CHECK(text_of(judge(errc::not_found, true, true)) == "same other counts");
    CHECK(text_of(judge(errc::not_found, false, true)) == "other counts");
    for (row const& r : rows)
        if (r.cause != errc::not_found)
            CHECK(judge(r.cause, {}, true) == judge(r.cause, {}, false));
}

TEST_CASE("judge: a cancellation and codes of others mean nothing")
{
    namespace error = boost::asio::error;
    serin::error_code const codes[] = {{}, error::operation_aborted, error::connection_reset, error::eof,
        serin::error_code(0, serin::serin_category()), serin::error_code(9999, serin::serin_category()),
        serin::error_code(static_cast<int>(errc::server_error), boost::system::generic_category())};
    for (auto const& ec : codes)
        for (auto const should_retry : {std::optional<bool>(), std::optional<bool>(true), std::optional<bool>(false)})
        {
            CAPTURE(ec.message());
            CHECK(judge(ec, should_retry, true) == verdict());
        }
}
