// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/errors.hpp"

#include "catch.hpp"

#include <string>

namespace {

using serin::classify;
using serin::errc;
using serin::server_error;

server_error read(std::string_view body)
{
    serin::json_reader reader;
    server_error err;
    serin::read_error_body(reader, body, err);
    return err;
}

server_error with_code(std::string code)
{
    server_error err;
    err.code = std::move(code);
    return err;
}

server_error with_type(std::string type)
{
    server_error err;
    err.type = std::move(type);
    return err;
}

server_error with_message(std::string message)
{
    server_error err;
    err.message = std::move(message);
    return err;
}

} // namespace

TEST_CASE("error body: OpenAI's object")
{
    server_error const err = read(R"({"error":{"message":"m","type":"t","param":"p","code":"c"}})");
    CHECK(err.message == "m");
    CHECK(err.type == "t");
    CHECK(err.param == "p");
    CHECK(err.code == "c");
    CHECK_FALSE(err.code_is_number);
    CHECK(read(R"({"error":{"message":"m","type":null,"param":null,"code":null}})").code.empty());
}

TEST_CASE("error body: OpenRouter's numeric code")
{
    server_error const err = read(R"({"error":{"code":429,"message":"m","metadata":{"raw":"x"}},"user_id":"u"})");
    CHECK(err.code == "429");
    CHECK(err.code_is_number);
    CHECK(err.message == "m");
}

TEST_CASE("error body: a plain text under error, alone or beside others")
{
    CHECK(read(R"({"error":"boom"})").message == "boom");
    server_error const err = read(R"({"error":"short","message":"long","type":"t","request_id":"r"})");
    CHECK(err.message == "long");
    CHECK(err.type == "t");
}

TEST_CASE("error body: members at top level")
{
    server_error const err = read(R"({"object":"error","message":"m","type":"t","param":"p","code":400})");
    CHECK(err.message == "m");
    CHECK(err.type == "t");
    CHECK(err.param == "p");
    CHECK(err.code == "400");
}

TEST_CASE("error body: a message alone")
{
    CHECK(read(R"({"message":"m","id":"x"})").message == "m");
}

TEST_CASE("error body: detail as text, as validation errors, as texts")
{
    CHECK(read(R"({"detail":"m"})").message == "m");
    server_error const err =
        read(R"({"detail":[{"loc":["body","messages",0,"role"],"msg":"bad role","type":"enum"},{"msg":"and more"}]})");
    CHECK(err.message == "bad role; and more");
    CHECK(err.param == "body.messages.0.role");
    CHECK(err.type == "enum");
    CHECK(read(R"({"detail":["a","b"]})").message == "a; b");
}

TEST_CASE("error body: fault")
{
    server_error const err = read(R"({"fault":{"faultstring":"m","detail":{"errorcode":"e.x"}}})");
    CHECK(err.message == "m");
    CHECK(err.code == "e.x");
}

TEST_CASE("error body: an array around the error")
{
    CHECK(read(R"([{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}])").message == "m");
}

TEST_CASE("error body: plain text is the message")
{
    CHECK(read(" upstream request timeout\n").message == "upstream request timeout");
    CHECK(read("bad \xff byte").message == "bad \xef\xbf\xbd byte");
}

TEST_CASE("error body: a page, broken JSON or nothing gives no message")
{
    for (char const* body : {"", " \r\n", "<html><body>502</body></html>", "\n<!DOCTYPE html>", "{\"error\":{\"mess",
             "null", "[]", "{}", "\"teapot\"", "42"})
    {
        INFO(body);
        CHECK(read(body).empty());
    }
}

TEST_CASE("what a server says is cut off, between characters")
{
    std::string text;
    for (int i = 0; i < 20000; ++i)
        text += "\xc3\xa9";
    server_error const err = read(R"({"error":{"message":")" + text + R"(","code":")" + text + "\"}}");
    CHECK(err.message.size() == 16384);
    CHECK(err.message == text.substr(0, 16384));
    CHECK(err.code.size() == 1024);
    CHECK(read("x" + text).message.size() == 16383);
}

TEST_CASE("a status alone has its cause")
{
    server_error const none;
    struct
    {
        int status;
        errc cause;
    } const table[] = {{300, errc::redirected}, {302, errc::redirected}, {307, errc::redirected},
        {400, errc::invalid_request}, {401, errc::authentication}, {402, errc::quota_exhausted},
        {403, errc::permission}, {404, errc::not_found}, {405, errc::invalid_request}, {408, errc::request_timeout},
        {409, errc::conflict}, {413, errc::invalid_request}, {418, errc::invalid_request}, {422, errc::invalid_request},
        {429, errc::rate_limited}, {500, errc::server_error}, {501, errc::server_error}, {502, errc::server_error},
        {503, errc::overloaded}, {504, errc::server_error}, {529, errc::overloaded}, {599, errc::server_error}};
    for (auto const& row : table)
    {
        INFO(row.status);
        CHECK(classify(row.status, none) == row.cause);
    }
}

TEST_CASE("a spent quota is told apart from a rate limit by its code only")
{
    for (char const* code : {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
             "insufficient_balance", "INSUFFICIENT_QUOTA", "exceeded_current_quota_error"})
    {
        INFO(code);
        for (int status : {402, 403, 429, 400})
        {
            CHECK(classify(status, with_code(code)) == errc::quota_exhausted);
            CHECK(classify(status, with_type(code)) == errc::quota_exhausted);
        }
    }
    CHECK(classify(429, with_message("You exceeded your current quota, please check your plan and billing details.")) ==
          errc::rate_limited);
    CHECK(classify(429, with_code("rate_limit_exceeded")) == errc::rate_limited);
    CHECK(classify(401, with_code("insufficient_quota")) == errc::authentication);
}

TEST_CASE("a prompt that is too long is told by code, type or text")
{
    for (int status : {400, 413, 422})
    {
        CHECK(classify(status, with_code("context_length_exceeded")) == errc::context_length_exceeded);
        CHECK(classify(status, with_code("too_many_prompt_tokens")) == errc::context_length_exceeded);
        CHECK(classify(status, with_type("exceed_context_size_error")) == errc::context_length_exceeded);
        CHECK(classify(status, with_message("This model's maximum context length is 8192 tokens.")) ==
              errc::context_length_exceeded);
        CHECK(classify(status, with_message("prompt is too long: 9 tokens > 8 maximum")) ==
              errc::context_length_exceeded);
    }
    CHECK(classify(429, with_message("maximum context length")) == errc::rate_limited);
    CHECK(classify(500, with_message("maximum context length")) == errc::server_error);
}

TEST_CASE("a content filter is told by its code")
{
    CHECK(classify(400, with_code("content_filter")) == errc::content_filtered);
    CHECK(classify(400, with_code("content_policy_violation")) == errc::content_filtered);
    CHECK(classify(403, with_code("content_filter")) == errc::content_filtered);
    CHECK(classify(400, with_code("ResponsibleAIPolicyViolation")) == errc::content_filtered);
}

TEST_CASE("a lack of capacity is told by its code")
{
    for (char const* code :
        {"overloaded_error", "server_is_overloaded", "engine_overloaded", "engine_overloaded_error"})
    {
        INFO(code);
        CHECK(classify(500, with_type(code)) == errc::overloaded);
        CHECK(classify(429, with_code(code)) == errc::overloaded);
        CHECK(classify(200, with_code(code)) == errc::overloaded);
    }
}

TEST_CASE("an error inside an answer has the cause of its own code")
{
    CHECK(classify(200, read(R"({"error":{"code":401,"message":"m"}})")) == errc::authentication);
    CHECK(classify(200, read(R"({"error":{"code":402,"message":"m"}})")) == errc::quota_exhausted);
    CHECK(classify(200, read(R"({"error":{"code":429,"message":"m"}})")) == errc::rate_limited);
    CHECK(classify(200, read(R"({"error":{"code":"429","message":"m"}})")) == errc::rate_limited);
    CHECK(classify(200, read(R"({"error":{"code":502,"message":"m"}})")) == errc::server_error);
    CHECK(classify(200, read(R"({"error":{"code":400,"message":"maximum context length"}})")) ==
          errc::context_length_exceeded);
    CHECK(classify(200, read(R"({"error":{"code":"odd","status_code":400,"message":"m"}})")) == errc::invalid_request);
    CHECK(classify(200, with_code("rate_limit_exceeded")) == errc::rate_limited);
    CHECK(classify(200, with_code("invalid_api_key")) == errc::authentication);
    CHECK(classify(200, with_code("insufficient_quota")) == errc::quota_exhausted);
    CHECK(classify(200, with_code("model_not_found")) == errc::not_found);
    CHECK(classify(200, with_code("CONTEXT_LENGTH_EXCEEDED")) == errc::context_length_exceeded);
    CHECK(classify(200, with_type("server_error")) == errc::server_error);
    CHECK(classify(200, with_type("invalid_request_error")) == errc::invalid_request);
    CHECK(classify(200, with_message("boom")) == errc::stream_error);
    CHECK(classify(200, with_code("17")) == errc::stream_error);
    CHECK(classify(200, with_code(std::string(5000, 'a'))) == errc::stream_error);

    server_error both = with_type("rate_limit_error");
    both.code = "invalid_request_error";
    CHECK(classify(200, both) == errc::rate_limited);
}
