// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What a gateway answers: whole and streamed, errors, and what it passes on.

#include <serin/gateway/server.hpp>
#include <serin/mock/provider.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "catch.hpp"
#include "gateway.hpp"
#include "run.hpp"

using namespace serin;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

std::string chat_body(std::string const& extra = {}, std::string const& model = "mock")
{
    return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"Say hi"}])" + extra + "}";
}

// The data of the events of a stream.
std::vector<std::string> events_of(std::string const& body)
{
    std::vector<std::string> all;
    for (std::size_t at = 0; at < body.size();)
    {
        std::size_t const end = body.find("\n\n", at);
        REQUIRE(end != std::string::npos);
        std::string const event = body.substr(at, end - at);
        std::size_t const data = event.find("data: ");
        REQUIRE(data != std::string::npos);
        all.push_back(event.substr(data + 6));
        at = end + 2;
    }
    return all;
}

std::string text_of(std::vector<std::string> const& events)
{
    std::string text;
    for (std::string const& event : events)
    {
        if (event == "[DONE]")
            continue;
        json const chunk = json::parse(event);
        for (auto const& choice : chunk["choices"])
            text += choice["delta"].value("content", "");
    }
    return text;
}

} // namespace

TEST_CASE("gateway: a whole answer passes as it is, and so do unknown members", "[gateway]")
{
    mock::provider provider;
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    raw_answer const a = caller.ask("POST", "/v1/chat/completions",
        chat_body(R"(,"unknown":{"a":[1,2.50,"\u00e9"]},"temperature":1.0,"seed":12345678901234567890)"),
        "Authorization: Bearer callers-own\r\nCookie: session=1\r\nX-Other: 1\r\nTE: trailers\r\n");
    CHECK(a.status == 200);
    CHECK(a.whole);
    CHECK(a.field("x-serin-upstream") == "default");
    CHECK(a.field("x-serin-attempts") == "1");
    CHECK(a.field("x-serin-cache") == "off");
    CHECK_THAT(a.field("x-request-id"), ContainsSubstring("req_"));
    json const answer = json::parse(a.body);
    CHECK(answer["object"] == "chat.completion");
    CHECK(answer["model"] == "mock");
    CHECK(answer["choices"][0]["message"]["content"].get<std::string>().size() > 4);

    auto const seen = provider.requests().at(0);
    json const sent = json::parse(seen.body);
    CHECK(sent["unknown"] == json::parse(R"({"a":[1,2.50,"\u00e9"]})"));
    CHECK_THAT(seen.body, ContainsSubstring("2.50"));
    CHECK_THAT(seen.body, ContainsSubstring("12345678901234567890"));
    CHECK_THAT(seen.body, ContainsSubstring("\"temperature\":1.0"));
    for (char const* name : {"Authorization", "Cookie", "X-Other", "TE"})
        CHECK(seen.headers.find(name).empty());
}

TEST_CASE("gateway: a stream passes as it is, its usage only to who asked for it", "[gateway]")
{
    mock::provider provider;
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    bool const asked = GENERATE(false, true);
    std::string const options = asked ? R"(,"stream_options":{"include_usage":true,"other":1})" : "";
    raw_answer const a = caller.ask("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)" + options));
    CHECK(a.status == 200);
    CHECK(a.whole);
    CHECK(a.field("Content-Type") == "text/event-stream");
    CHECK(a.field("x-serin-upstream") == "default");
    auto const events = events_of(a.body);
    REQUIRE(events.size() > 4);
    CHECK(events.back() == "[DONE]");
    CHECK(json::parse(events.front())["choices"][0]["delta"]["role"] == "assistant");
    CHECK_THAT(text_of(events), ContainsSubstring("tok1 tok2"));
    std::size_t usages = 0;
    for (std::string const& event : events)
        usages += event != "[DONE]" && json::parse(event)["choices"].empty();
    CHECK(usages == (asked ? 1 : 0));

    json const sent = json::parse(provider.requests().at(0).body);
    CHECK(sent["stream_options"]["include_usage"] == true);
    CHECK(sent["stream_options"].contains("other") == asked);

    // The connection goes on.
    CHECK(caller.ask("GET", "/healthz").status == 200);
}

TEST_CASE("gateway: a token is sent on when it comes", "[gateway]")
{
    mock::provider provider;
    mock::behavior stalls;
    stalls.fault = mock::fault::stall;
    stalls.fault_after = 2;
    provider.set_default(stalls);
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)")));
    CHECK_FALSE(caller.read_until("tok2").empty());
    SECTION("and the call upstream ends when the caller goes")
    {
        caller.close();
        CHECK(provider.wait_until([&] { return provider.requests().at(0).client_closed_early; }, milliseconds(20000)));
    }
}

TEST_CASE("gateway: a caller that goes before the first token ends the call upstream", "[gateway]")
{
    mock::provider provider;
    mock::behavior silent;
    silent.first_byte_delay = std::chrono::hours(1);
    provider.set_default(silent);
    running_gateway gateway(params_for(provider.base_url()));
    std::string const stream = GENERATE(",\"stream\":true", "");
    {
        raw_caller caller(gateway.server.port());
        caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body(stream)));
        REQUIRE(provider.wait_until([&] { return provider.request_count() == 1; }, milliseconds(20000)));
    }
    CHECK(provider.wait_until([&] { return provider.requests().at(0).client_closed_early; }, milliseconds(20000)));
}

TEST_CASE("gateway: a stream that breaks ends with an error event and a closed connection", "[gateway]")
{
    mock::provider provider;
    mock::behavior breaks;
    breaks.fault = GENERATE(mock::fault::cut, mock::fault::reset, mock::fault::error, mock::fault::malformed);
    breaks.fault_after = 3;
    provider.set_default(breaks);
    client_params p = params_for(provider.base_url());
    // Who reads HTTP could not be told to forget what he has.
    p.stream.recovery = GENERATE(stream_recovery::fail, stream_recovery::restart);
    p.retry.max_attempts = 3;
    running_gateway gateway(p);
    raw_caller caller(gateway.server.port());
    raw_answer const a = caller.ask("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)"));
    CHECK(a.status == 200);
    CHECK_FALSE(a.whole);
    CHECK(caller.at_end());
    CHECK_THAT(a.body, ContainsSubstring("tok3"));
    CHECK_THAT(a.body, !ContainsSubstring("[DONE]"));
    auto const at = a.body.find("event: error\ndata: ");
    REQUIRE(at != std::string::npos);
    json const error = json::parse(a.body.substr(at + 19));
    CHECK(error["error"]["message"].get<std::string>().size() > 4);
    CHECK(provider.request_count() == 1);
}

TEST_CASE("gateway: with stream recovery `buffer` a stream that breaks is tried again unseen", "[gateway]")
{
    mock::provider provider;
    mock::behavior breaks;
    breaks.fault = mock::fault::cut;
    breaks.fault_after = 3;
    provider.on_next(breaks);
    client_params p = params_for(provider.base_url());
    p.stream.recovery = stream_recovery::buffer;
    p.retry.max_attempts = 2;
    p.retry.base_delay = milliseconds(1);
    running_gateway gateway(p);
    raw_caller caller(gateway.server.port());
    raw_answer const a = caller.ask("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)"));
    CHECK(a.whole);
    CHECK(a.field("x-serin-attempts") == "2");
    auto const events = events_of(a.body);
    CHECK(events.back() == "[DONE]");
    CHECK(text_of(events) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
}

TEST_CASE("gateway: an upstream that answers a stream with a whole completion", "[gateway]")
{
    mock::provider provider;
    provider.set_default(mock::behavior().with_status(200,
        R"({"id":"a","object":"chat.completion","created":1,"model":"m","extra":7,"choices":[{"index":0,)"
        R"("message":{"role":"assistant","content":"hello","tool_calls":[{"id":"c","type":"function",)"
        R"("function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,)"
        R"("completion_tokens":2,"total_tokens":3}})"));
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    raw_answer const a = caller.ask(
        "POST", "/v1/chat/completions", chat_body(R"(,"stream":true,"stream_options":{"include_usage":true})"));
    CHECK(a.whole);
    auto const events = events_of(a.body);
    REQUIRE(events.size() == 3);
    json const chunk = json::parse(events[0]);
    CHECK(chunk["object"] == "chat.completion.chunk");
    CHECK(chunk["extra"] == 7);
    CHECK(chunk["choices"][0]["delta"]["content"] == "hello");
    CHECK(chunk["choices"][0]["delta"]["tool_calls"][0]["index"] == 0);
    CHECK(chunk["choices"][0]["finish_reason"] == "stop");
    CHECK(json::parse(events[1])["usage"]["total_tokens"] == 3);
    CHECK(events[2] == "[DONE]");
}

TEST_CASE("gateway: embeddings", "[gateway]")
{
    mock::provider provider;
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    raw_answer const a =
        caller.ask("POST", "/v1/embeddings", R"({"model":"mock","input":["a","b"],"encoding_format":"float"})");
    CHECK(a.status == 200);
    CHECK(json::parse(a.body)["data"].size() == 2);
}

TEST_CASE("gateway: errors are in OpenAI's shape, with the right status", "[gateway]")
{
    struct expected
    {
        int upstream_status;
        char const* type;
        char const* code;
        int status;
        char const* shown_code;
    };
    auto const e =
        GENERATE(expected{400, "invalid_request_error", "context_length_exceeded", 400, "context_length_exceeded"},
            expected{422, "invalid_request_error", "bad", 422, "bad"},
            expected{401, "invalid_request_error", "invalid_api_key", 502, "upstream_authentication"},
            expected{403, "permission_error", "", 502, "upstream_permission"},
            expected{404, "invalid_request_error", "model_not_found", 404, "model_not_found"},
            expected{429, "requests", "rate_limit_exceeded", 429, "rate_limit_exceeded"},
            expected{429, "insufficient_quota", "insufficient_quota", 429, "insufficient_quota"},
            expected{500, "server_error", "", 500, "server_error"}, expected{503, "server_error", "busy", 503, "busy"});
    mock::provider provider;
    provider.set_default(mock::behavior().with_status(e.upstream_status).with_error("the reason", e.type, e.code));
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    std::string const stream = GENERATE("", ",\"stream\":true");
    raw_answer const a = caller.ask("POST", "/v1/chat/completions", chat_body(stream));
    INFO(a.body);
    CHECK(a.status == e.status);
    CHECK(a.field("Content-Type") == "application/json");
    CHECK(a.field("x-serin-upstream") == "default");
    json const error = json::parse(a.body)["error"];
    CHECK(error["code"] == e.shown_code);
    CHECK(error["type"].is_string());
    CHECK(error.contains("param"));
    CHECK(error["message"].get<std::string>().size() > 4);
}

TEST_CASE("gateway: requests that no upstream sees", "[gateway]")
{
    mock::provider provider;
    gateway::params settings;
    settings.limits.body = 1000;
    settings.limits.body_timeout = milliseconds(100);
    running_gateway gateway(params_for(provider.base_url()), settings);
    raw_caller caller(gateway.server.port());
    auto const code_of = [](raw_answer const& a) { return json::parse(a.body)["error"]["code"]; };
    SECTION("not JSON")
    {
        CHECK(caller.ask("POST", "/v1/chat/completions", "{").status == 400);
        CHECK(caller.ask("POST", "/v1/chat/completions", "[]").status == 400);
    }
    SECTION("without what it must have")
    {
        raw_answer const no_model = caller.ask("POST", "/v1/chat/completions", R"({"messages":[]})");
        CHECK(no_model.status == 400);
        CHECK(json::parse(no_model.body)["error"]["param"] == "model");
        raw_answer const no_messages = caller.ask("POST", "/v1/chat/completions", R"({"model":"m"})");
        CHECK(no_messages.status == 400);
        CHECK(json::parse(no_messages.body)["error"]["param"] == "messages");
    }
    SECTION("too large")
    {
        raw_answer const a = caller.ask("POST", "/v1/chat/completions", std::string(2000, ' '));
        CHECK(a.status == 413);
        CHECK(code_of(a) == "request_too_large");
    }
    SECTION("too slow")
    {
        caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body()).substr(0, 120));
        CHECK(caller.read_answer().status == 408);
    }
    SECTION("of another method or address")
    {
        CHECK(caller.ask("GET", "/v1/chat/completions").status == 405);
        CHECK(caller.ask("POST", "/v1/completions", "{}").status == 404);
    }
    SECTION("of a coding that is not served")
    {
        CHECK(caller.ask("POST", "/v1/chat/completions", "x", "Content-Encoding: gzip\r\n").status == 415);
    }
    CHECK(provider.request_count() == 0);
}

TEST_CASE("gateway: aliases are the models that it has", "[gateway]")
{
    mock::provider provider;
    client_params p = params_for(provider.base_url());
    model_route route;
    route.name = "fast";
    route_target target;
    target.upstream = "default";
    route.upstreams.push_back(target);
    p.models.push_back(route);
    running_gateway gateway(p);
    raw_caller caller(gateway.server.port());
    json const list = json::parse(caller.ask("GET", "/v1/models").body);
    REQUIRE(list["data"].size() == 1);
    CHECK(list["data"][0]["id"] == "fast");
    CHECK(json::parse(caller.ask("GET", "/v1/models/fast").body)["id"] == "fast");
    CHECK(caller.ask("GET", "/v1/models/none").status == 404);
}

TEST_CASE("gateway: tokens of callers", "[gateway]")
{
    mock::provider provider;
    gateway::params settings;
    settings.tokens.emplace_back("first-token");
    settings.tokens.emplace_back("second-token");
    running_gateway gateway(params_for(provider.base_url()), settings);
    raw_caller caller(gateway.server.port());
    auto const status = [&](std::string const& fields) { return caller.ask("GET", "/v1/models", {}, fields).status; };
    CHECK(status("") == 401);
    CHECK(status("Authorization: Bearer wrong\r\n") == 401);
    CHECK(status("Authorization: Bearer \r\n") == 401);
    CHECK(status("Authorization: Basic first-token\r\n") == 401);
    CHECK(status("Authorization: Bearer first-token\r\n") == 200);
    CHECK(status("authorization: bearer second-token\r\n") == 200);
    CHECK(caller.ask("GET", "/healthz").status == 200);
    CHECK(caller.ask("GET", "/readyz").status == 200);

    std::vector<secret> fresh;
    fresh.emplace_back("third-token");
    gateway.server.set_tokens(fresh);
    CHECK(status("Authorization: Bearer first-token\r\n") == 401);
    CHECK(status("Authorization: Bearer third-token\r\n") == 200);

    // The body is not read before.
    raw_caller stranger(gateway.server.port());
    raw_answer const a = stranger.ask("POST", "/v1/chat/completions", chat_body());
    CHECK(a.status == 401);
    CHECK(json::parse(a.body)["error"]["code"] == "invalid_api_key");
}

TEST_CASE("gateway: no token is asked for on loopback only", "[gateway]")
{
    boost::asio::io_context context;
    gateway::params settings;
    settings.address = "0.0.0.0";
    gateway::server open(context.get_executor(), params_for("http://127.0.0.1:1/v1"), settings);
    std::string why;
    CHECK(open.listen(why) == errc::insecure_transport);
    CHECK_THAT(why, ContainsSubstring("no token"));
}

TEST_CASE("gateway: one connection too many is answered with 429", "[gateway]")
{
    mock::provider provider;
    gateway::params settings;
    settings.limits.connections = 1;
    running_gateway gateway(params_for(provider.base_url()), settings);
    raw_caller first(gateway.server.port());
    CHECK(first.ask("GET", "/healthz").status == 200);
    raw_caller second(gateway.server.port());
    raw_answer const a = second.ask("POST", "/v1/chat/completions", chat_body());
    CHECK(a.status == 429);
    CHECK(a.field("Retry-After") == "1");
    CHECK(json::parse(a.body)["error"]["code"] == "too_many_connections");
    CHECK(second.at_end());
    CHECK(provider.request_count() == 0);
}

TEST_CASE("gateway: a caller that does not read is cut off, and so is its call", "[gateway]")
{
    mock::provider provider;
    provider.set_default(mock::behavior().with_text(std::string(16 << 20, 'x')));
    gateway::params settings;
    settings.limits.write_timeout = milliseconds(50);
    running_gateway gateway(params_for(provider.base_url()), settings);
    raw_caller caller(gateway.server.port());
    std::string const stream = GENERATE("", ",\"stream\":true");
    caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body(stream)));
    CHECK(gateway.wait_for_log("caller gone"));
}

TEST_CASE("gateway: with a notice, /readyz says no on new connections before the listener closes", "[gateway]")
{
    mock::provider provider;
    gateway::params settings;
    SECTION("and callers are still answered")
    {
        settings.drain_notice = std::chrono::seconds(2);
        running_gateway gateway(params_for(provider.base_url()), settings);
        auto const from = std::chrono::steady_clock::now();
        auto done = gateway.drain(std::chrono::seconds(30));
        raw_caller balancer(gateway.server.port());
        CHECK(balancer.ask("GET", "/readyz").status == 503);
        CHECK(balancer.ask("GET", "/healthz").status == 200);
        raw_caller caller(gateway.server.port());
        CHECK(caller.ask("POST", "/v1/chat/completions", chat_body()).status == 200);
        REQUIRE(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
        CHECK(std::chrono::steady_clock::now() - from >= settings.drain_notice);
        CHECK(balancer.at_end());
        CHECK_THROWS(raw_caller(gateway.server.port()));
    }
    SECTION("which closing everything cuts short")
    {
        settings.drain_notice = std::chrono::hours(1);
        running_gateway gateway(params_for(provider.base_url()), settings);
        auto done = gateway.drain(std::chrono::seconds(30));
        gateway.server.close();
        CHECK(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    }
}

TEST_CASE("gateway: draining finishes what is open, until the deadline", "[gateway]")
{
    mock::provider provider;
    provider.set_default(mock::behavior().with_tokens(20).paced(milliseconds(10)));
    running_gateway gateway(params_for(provider.base_url()));
    raw_caller caller(gateway.server.port());
    raw_caller idle(gateway.server.port());
    CHECK(idle.ask("GET", "/readyz").status == 200);
    SECTION("in time")
    {
        caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)")));
        REQUIRE(provider.wait_until([&] { return provider.request_count() == 1; }, milliseconds(20000)));
        auto done = gateway.drain(std::chrono::seconds(30));
        CHECK(idle.at_end());
        raw_answer const a = caller.read_answer();
        CHECK(a.whole);
        CHECK_THAT(a.body, ContainsSubstring("[DONE]"));
        CHECK(caller.at_end());
        CHECK(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
        gateway.join(); // No work is left
    }
    SECTION("or is cut")
    {
        mock::behavior stalls;
        stalls.fault = mock::fault::stall;
        stalls.fault_after = 2;
        provider.set_default(stalls);
        caller.send(raw_caller::request("POST", "/v1/chat/completions", chat_body(R"(,"stream":true)")));
        REQUIRE_FALSE(caller.read_until("tok2").empty());
        auto done = gateway.drain(milliseconds(50));
        CHECK(done.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
        CHECK(caller.read_until("[DONE]").empty());
        gateway.join();
    }
}

TEST_CASE("gateway: nothing of a caller's is in the log", "[gateway][secrecy]")
{
    mock::provider provider;
    provider.on_next(mock::behavior().with_status(400).with_error("about secret-prompt", "t", "c"));
    gateway::params settings;
    settings.tokens.emplace_back("secret-token");
    running_gateway gateway(params_for(provider.base_url()), settings);
    for (std::string const token : {"secret-token", "secret-wrong"})
        for (std::string const stream : {"", ",\"stream\":true"})
        {
            raw_caller caller(gateway.server.port());
            caller.ask("POST", "/v1/chat/completions?secret-query=1",
                R"({"model":"secret-model","messages":[{"role":"user","content":"secret-prompt"}])" + stream + "}",
                "Authorization: Bearer " + token + "\r\nX-Secret: secret-field\r\n");
            caller.ask("POST", "/secret-path", "secret-body", "Authorization: Bearer " + token + "\r\n");
        }
    std::string const log = gateway.logged_text();
    CHECK_THAT(log, ContainsSubstring("status 401"));
    CHECK_THAT(log, ContainsSubstring("status 400"));
    CHECK_THAT(log, !ContainsSubstring("secret"));
}
