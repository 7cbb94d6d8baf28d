// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../tools/serin/report.hpp"

#include "catch.hpp"

#include <boost/asio/error.hpp>
#include <nlohmann/json.hpp>

#include <string>

using namespace std::chrono_literals;
using nlohmann::json;
using serin::errc;
using serin::tools::chat_outcome;
using serin::tools::to_document;
using serin::tools::to_error_line;

namespace {

serin::chat_response make_response()
{
    serin::chat_response r;
    r.id = "chatcmpl-1";
    r.model = "big-2026";
    r.upstream = "stable";
    serin::chat_choice choice;
    choice.message = serin::message::assistant("Hello");
    choice.finish_reason = "stop";
    r.choices.push_back(choice);
    return r;
}

serin::attempt make_attempt(int status, serin::error_code ec)
{
    serin::attempt a;
    a.upstream = "stable";
    a.status = status;
    a.error = ec;
    a.duration = 1500us;
    a.waited = 250ms;
    return a;
}

} // namespace

TEST_CASE("report: an answer")
{
    chat_outcome outcome;
    outcome.response = make_response();
    outcome.response->usage.emplace();
    outcome.response->usage->prompt_tokens = 3;
    outcome.diag.attempts.push_back(make_attempt(503, errc::overloaded));
    outcome.diag.attempts.push_back(make_attempt(200, {}));
    outcome.latency = 12345us;
    outcome.time_to_token = 5ms;

    auto const j = json::parse(to_document(outcome));
    CHECK(j["content"] == "Hello");
    CHECK(j["reasoning"].is_null());
    CHECK(j["refusal"].is_null());
    CHECK(j["tool_calls"] == json::array());
    CHECK(j["finish_reason"] == "stop");
    CHECK(j["usage"]["prompt_tokens"] == 3);
    CHECK(j["model"] == "big-2026");
    CHECK(j["id"] == "chatcmpl-1");
    CHECK(j["upstream"] == "stable");
    CHECK(j["latency_ms"] == 12.345);
    CHECK(j["ttft_ms"] == 5.0);
    REQUIRE(j["attempts"].size() == 2);
    CHECK(j["attempts"][0] == json({{"upstream", "stable"}, {"status", 503}, {"error", "overloaded"},
                                  {"duration_ms", 1.5}, {"waited_ms", 250.0}}));
    CHECK(j["attempts"][1]["error"].is_null());
    CHECK_FALSE(j.contains("error"));
    CHECK_FALSE(j.contains("choices"));
}

TEST_CASE("report: what is unknown is null, and there is always every member")
{
    chat_outcome outcome;
    outcome.response = serin::chat_response();
    auto const j = json::parse(to_document(outcome));
    CHECK(j["content"] == "");
    for (auto const* name : {"reasoning", "refusal", "finish_reason", "usage", "ttft_ms"})
    {
        CAPTURE(name);
        REQUIRE(j.contains(name));
        CHECK(j[name].is_null());
    }
    CHECK(j["attempts"] == json::array());
}

TEST_CASE("report: tool calls, reasoning, and further choices")
{
    chat_outcome outcome;
    outcome.response = make_response();
    auto& message = outcome.response->choices[0].message;
    message.reasoning = "Let me see";
    serin::tool_call call;
    call.id = "call_1";
    call.name = "get_weather";
    call.arguments = R"({"city":"Berlin"})";
    message.tool_calls.push_back(call);
    outcome.response->choices.push_back(outcome.response->choices[0]);

    auto const j = json::parse(to_document(outcome));
    CHECK(j["reasoning"] == "Let me see");
    REQUIRE(j["tool_calls"].size() == 1);
    CHECK(j["tool_calls"][0]["id"] == "call_1");
    CHECK(j["tool_calls"][0]["function"]["name"] == "get_weather");
    CHECK(j["tool_calls"][0]["function"]["arguments"] == R"({"city":"Berlin"})");
    CHECK(j["choices"].size() == 2);
}

TEST_CASE("report: a failure")
{
    chat_outcome outcome;
    outcome.ec = errc::rate_limited;
    outcome.diag.status = 429;
    outcome.diag.code = "rate_limit_exceeded";
    outcome.diag.type = "requests";
    outcome.diag.message = "Slow down";
    outcome.diag.request_id = "req_1";
    outcome.diag.retry_after = 1500ms;
    outcome.diag.attempts.push_back(make_attempt(429, errc::rate_limited));
    auto const j = json::parse(to_document(outcome));
    CHECK(j.size() == 3);
    CHECK(j["error"] ==
          json({{"kind", "rate_limited"}, {"status", 429}, {"code", "rate_limit_exceeded"}, {"type", "requests"},
              {"message", "Slow down"}, {"request_id", "req_1"}, {"retry_after_ms", 1500}}));
    CHECK(j["attempts"].size() == 1);
    CHECK(j["partial"].is_null());
}

TEST_CASE("report: an error's code that was a number stays one")
{
    chat_outcome outcome;
    outcome.ec = errc::server_error;
    outcome.diag.code = "502";
    CHECK(json::parse(to_document(outcome))["error"]["code"] == "502");
    outcome.diag.code_is_number = true;
    auto const j = json::parse(to_document(outcome));
    CHECK(j["error"]["code"].is_number_integer());
    CHECK(j["error"]["code"] == 502);
    // Whatever the code holds, the document stays valid.
    for (auto const* odd : {"", "x", "1e999", "[1]", "1 2"})
    {
        outcome.diag.code = odd;
        CHECK_FALSE(json::parse(to_document(outcome), nullptr, false).is_discarded());
    }
}

TEST_CASE("report: what had arrived")
{
    chat_outcome outcome;
    outcome.ec = errc::stream_truncated;
    outcome.response = make_response();
    outcome.response->choices[0].finish_reason.clear();
    auto const j = json::parse(to_document(outcome));
    CHECK(j["error"]["kind"] == "stream_truncated");
    CHECK(j["error"]["message"] == "the stream ended before the model had finished");
    CHECK(j["error"]["status"].is_null());
    CHECK(j["partial"]["content"] == "Hello");
    CHECK(j["partial"]["finish_reason"].is_null());
}

TEST_CASE("report: invalid UTF-8 does not break the document")
{
    chat_outcome outcome;
    outcome.ec = errc::server_error;
    outcome.diag.message = "a\xff";
    CHECK(json::parse(to_document(outcome))["error"]["message"] == "a\uFFFD");
}

TEST_CASE("report: the line for stderr")
{
    serin::diagnostics diag;
    diag.message = "Slow\ndown\x1b[2J\u009b";
    CHECK(to_error_line(errc::rate_limited, diag, 5) == "serin: rate_limited: Slow down [2J\uFFFD");
    diag.status = 429;
    diag.request_id = "req_1";
    diag.attempts.resize(2);
    diag.message = "Slow down";
    CHECK(to_error_line(errc::rate_limited, diag, 5) ==
          "serin: rate_limited: Slow down (status 429) (request req_1) (attempt 2 of 5)");
}
