// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "gateway/error_answer.hpp"

#include "catch.hpp"

#include <boost/asio/error.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using nlohmann::json;
using serin::diagnostics;
using serin::errc;
using serin::gateway::answer_to_failure;
using serin::gateway::error_answer;

namespace {

diagnostics said(int status, std::string type, std::string code, std::string message = "the reason")
{
    diagnostics d;
    d.status = status;
    d.type = std::move(type);
    d.code = std::move(code);
    d.message = std::move(message);
    return d;
}

json shown(error_answer const& a)
{
    return json::parse(a.body())["error"];
}

} // namespace

TEST_CASE("error_answer: the body has OpenAI's shape; what is empty is null")
{
    error_answer const bare(500, "", "", "text");
    CHECK(json::parse(bare.body()) ==
          json({{"error", {{"message", "text"}, {"type", nullptr}, {"param", nullptr}, {"code", nullptr}}}}));
    error_answer full(400, "invalid_request_error", "bad", "text");
    full.param = "model";
    CHECK(shown(full)["type"] == "invalid_request_error");
    CHECK(shown(full)["code"] == "bad");
    CHECK(shown(full)["param"] == "model");
}

TEST_CASE("error_answer: a code that was a number stays one, if it is one")
{
    error_answer a(400, "t", "1234", "text");
    CHECK(shown(a)["code"] == "1234");
    a.code_is_number = true;
    CHECK(shown(a)["code"] == 1234);
    for (char const* const odd : {"1.5", "99999999999999999999", "12x"})
    {
        a.code = odd;
        CHECK(shown(a)["code"] == odd);
    }
}

TEST_CASE("error_answer: bytes that are no UTF-8 do not break the body")
{
    error_answer const a(400, "t\xff", "c\xc3", "before\xff\x80 \"after\"\n");
    CHECK_THAT(shown(a)["message"].get<std::string>(), ContainsSubstring("\"after\"\n"));
}

TEST_CASE("error_answer: what the caller did wrong is told as the upstream told it")
{
    diagnostics d = said(422, "invalid_request_error", "bad_value");
    d.param = "temperature";
    error_answer const a = answer_to_failure(errc::invalid_request, d);
    CHECK(a.status == 422);
    CHECK(a.message == "the reason");
    CHECK(a.type == "invalid_request_error");
    CHECK(a.code == "bad_value");
    CHECK(a.param == "temperature");
    CHECK(answer_to_failure(errc::not_found, said(404, "", "model_not_found")).status == 404);
    // An error within a 200 is one all the same.
    CHECK(answer_to_failure(errc::context_length_exceeded, said(200, "t", "c")).status == 400);
}

TEST_CASE("error_answer: what the gateway's account did wrong is kept from callers")
{
    errc const e = GENERATE(errc::authentication, errc::permission, errc::invalid_key, errc::redirected);
    error_answer const a = answer_to_failure(e, said(401, "private_type", "private_code", "organization org-private"));
    CHECK(a.status == 502);
    CHECK_THAT(a.body(), !ContainsSubstring("private"));
    CHECK(a.code == "upstream_" + std::string(serin::errc_name(e)));
    CHECK(a.retry_is_useless);
}

TEST_CASE("error_answer: when to ask again is passed on, and that there is no use in it")
{
    diagnostics d = said(429, "requests", "rate_limit_exceeded");
    d.retry_after = 1500ms;
    error_answer const limited = answer_to_failure(errc::rate_limited, d);
    CHECK(limited.status == 429);
    CHECK(limited.retry_after == 1500ms);
    CHECK_FALSE(limited.retry_is_useless);
    d.status = 503;
    error_answer const busy = answer_to_failure(errc::overloaded, d);
    CHECK(busy.status == 503);
    CHECK(busy.retry_after == 1500ms);
    error_answer const quota = answer_to_failure(errc::quota_exhausted, said(429, "", ""));
    CHECK(quota.status == 429);
    CHECK(quota.code == "insufficient_quota");
    CHECK(quota.retry_is_useless);
    CHECK(answer_to_failure(errc::budget_exceeded, diagnostics()).retry_is_useless);
}

TEST_CASE("error_answer: failures of an upstream are 5xx, whatever its status was")
{
    CHECK(answer_to_failure(errc::server_error, said(500, "", "")).status == 500);
    CHECK(answer_to_failure(errc::server_error, said(529, "", "")).status == 529);
    CHECK(answer_to_failure(errc::server_error, said(200, "", "")).status == 502);
    CHECK(answer_to_failure(errc::overloaded, said(200, "", "")).status == 503);
    for (errc const late : {errc::connect_timeout, errc::tls_timeout, errc::write_timeout, errc::first_byte_timeout,
             errc::first_token_timeout, errc::idle_timeout, errc::token_idle_timeout, errc::deadline_exceeded,
             errc::request_timeout})
        CHECK(answer_to_failure(late, diagnostics()).status == 504);
    for (errc const broken : {errc::resolve_failed, errc::connect_failed, errc::tls_failed, errc::connection_lost,
             errc::stream_truncated, errc::stream_error, errc::malformed_response, errc::response_too_large})
    {
        error_answer const a = answer_to_failure(broken, diagnostics());
        CHECK(a.status == 502);
        CHECK(a.code == serin::errc_name(broken));
    }
    for (errc const full : {errc::pool_timeout, errc::memory_limit})
        CHECK(answer_to_failure(full, diagnostics()).status == 503);
}

TEST_CASE("error_answer: no address of the gateway's own network is shown")
{
    diagnostics d;
    d.message = "connect to 10.0.0.7:8000: refused";
    error_answer const a = answer_to_failure(errc::connect_failed, d);
    CHECK_THAT(a.body(), !ContainsSubstring("10.0.0.7"));
    CHECK(a.message.size() > 4);
}

TEST_CASE("error_answer: a call that the gateway stopped itself is 503")
{
    CHECK(answer_to_failure(boost::asio::error::operation_aborted, diagnostics()).status == 503);
    CHECK(answer_to_failure(boost::asio::error::no_descriptors, diagnostics()).status == 502);
}
