// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What the mock provider answers, seen by a client that shares no code with it.

#include <serin/mock/provider.hpp>

#include <openssl/evp.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "mock_client.hpp"

using namespace mock_client;
using namespace serin;
using mock::behavior;
using nlohmann::json;
using std::chrono::milliseconds;

TEST_CASE("mock: a whole answer", "[mock]")
{
    mock::provider p;
    raw_client client(p);
    client.send(whole());
    response const r = client.read();
    CHECK(r.status == 200);
    CHECK(r.complete);
    CHECK(r.header("Content-Type") == "application/json");
    CHECK(r.header("x-request-id") == "req_mock_1");
    json const body = json::parse(r.body);
    CHECK(body["object"] == "chat.completion");
    CHECK(body["model"] == "mock");
    CHECK(body["choices"].size() == 1);
    CHECK(body["choices"][0]["message"]["role"] == "assistant");
    CHECK(body["choices"][0]["message"]["content"] == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    CHECK(body["choices"][0]["finish_reason"] == "stop");
    CHECK(body["usage"]["prompt_tokens"] == 3);
    CHECK(body["usage"]["completion_tokens"] == 8);
    CHECK(body["usage"]["total_tokens"] == 11);

    // The connection is kept.
    client.send(whole());
    CHECK(client.read().header("x-request-id") == "req_mock_2");
    CHECK(p.connections_accepted() == 1);
    CHECK(p.connections_open() == 1);
}

TEST_CASE("mock: a streamed answer", "[mock]")
{
    mock::provider p;
    response const r = ask(p, stream("mock", ",\"stream_options\":{\"include_usage\":true}"));
    CHECK(r.status == 200);
    CHECK(r.complete);
    CHECK(r.header("Content-Type") == "text/event-stream");
    auto const all = events(r.body);
    REQUIRE(all.size() == 12); // role, 8 tokens, finish, usage, done
    CHECK(json::parse(all[0])["object"] == "chat.completion.chunk");
    CHECK(json::parse(all[0])["choices"][0]["delta"]["role"] == "assistant");
    CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    for (std::size_t i = 0; i < 9; ++i)
        CHECK(json::parse(all[i])["choices"][0]["finish_reason"].is_null());
    CHECK(json::parse(all[9])["choices"][0]["finish_reason"] == "stop");
    CHECK(json::parse(all[9])["usage"].is_null());
    CHECK(json::parse(all[10])["choices"].empty());
    CHECK(json::parse(all[10])["usage"]["completion_tokens"] == 8);
    CHECK(all[11] == "[DONE]");

    CHECK(ask(p, stream()).body.find("usage") == std::string::npos);
}

TEST_CASE("mock: what an answer says", "[mock]")
{
    mock::provider p;
    auto const message = [&](behavior const& b, std::string const& more = {}) {
        p.on_next(b);
        return json::parse(ask(p, post(chat_body("m", false, more))).body)["choices"][0];
    };
    auto const streamed = [&](behavior const& b, std::string const& more = {}) {
        p.on_next(b);
        return ask(p, stream("m", more)).body;
    };

    SECTION("a given text, a token a word")
    {
        std::string const text = "Gr\xc3\xbc\xc3\x9f \"Gott\"\n\n  twice\t ";
        CHECK(message(behavior().with_text(text))["message"]["content"] == text);
        auto const body = streamed(behavior().with_text(text));
        CHECK(stream_text(body) == text);
        CHECK(events(body).size() == 1 + 3 + 1 + 1);
        CHECK(message(behavior().with_text(""))["message"]["content"] == "");
        CHECK(events(streamed(behavior().with_text(""))).size() == 3);
    }
    SECTION("an echo")
    {
        CHECK(message(behavior().echoing())["message"]["content"] == "how are you");
        CHECK(stream_text(streamed(behavior().echoing())) == "how are you");
    }
    SECTION("words of a seed")
    {
        behavior b;
        b.seed = 5;
        std::string const text = message(b)["message"]["content"];
        CHECK(stream_text(streamed(b)) == text);
        b.seed = 6;
        CHECK(message(b)["message"]["content"] != text);
    }
    SECTION("reasoning")
    {
        json const choice = message(behavior().with_reasoning(3));
        CHECK(choice["message"]["reasoning_content"] == "think1 think2 think3");
        auto const all = events(streamed(behavior().with_reasoning(3)));
        CHECK(json::parse(all[1])["choices"][0]["delta"]["reasoning_content"] == "think1");
        CHECK(json::parse(all[4])["choices"][0]["delta"]["content"] == "tok1");
        behavior b = behavior().with_reasoning(1);
        b.reasoning_field = "reasoning";
        CHECK(message(b)["message"]["reasoning"] == "think1");
    }
    SECTION("tool calls")
    {
        behavior const b = behavior().with_tool_call("f", R"({"city":"Bonn"})").with_tool_call("g", "{}");
        json const choice = message(b);
        CHECK(choice["finish_reason"] == "tool_calls");
        CHECK(choice["message"]["content"].is_null());
        REQUIRE(choice["message"]["tool_calls"].size() == 2);
        CHECK(choice["message"]["tool_calls"][0]["function"]["name"] == "f");
        CHECK(choice["message"]["tool_calls"][0]["function"]["arguments"] == R"({"city":"Bonn"})");
        std::string arguments[2];
        std::string names;
        std::size_t fragments = 0;
        for (std::string const& data : events(streamed(b)))
        {
            auto const chunk = json::parse(data, nullptr, false);
            if (!chunk.is_object() || !chunk["choices"][0]["delta"].contains("tool_calls"))
                continue;
            json const& call = chunk["choices"][0]["delta"]["tool_calls"][0];
            names += call["function"].value("name", "");
            arguments[call["index"].get<std::size_t>()] += call["function"].value("arguments", "");
            ++fragments;
        }
        CHECK(names == "fg");
        CHECK(arguments[0] == R"({"city":"Bonn"})");
        CHECK(arguments[1] == "{}");
        CHECK(fragments == 8);
    }
    SECTION("max_tokens")
    {
        json const choice = message(behavior(), ",\"max_tokens\":2");
        CHECK(choice["message"]["content"] == "tok1 tok2");
        CHECK(choice["finish_reason"] == "length");
        CHECK(stream_text(streamed(behavior(), ",\"max_completion_tokens\":1")) == "tok1");
        CHECK(message(behavior().with_reasoning(4), ",\"max_tokens\":2")["message"]["content"] == "");
    }
    SECTION("several choices")
    {
        p.on_next(behavior());
        json const body = json::parse(ask(p, post(chat_body("m", false, ",\"n\":3"))).body);
        REQUIRE(body["choices"].size() == 3);
        CHECK(body["choices"][2]["index"] == 2);
        CHECK(body["usage"]["completion_tokens"] == 24);
        CHECK(events(streamed(behavior(), ",\"n\":3")).size() == 3 * 10 + 1);
    }
    SECTION("finish reasons")
    {
        CHECK(message(behavior().with_finish_reason("content_filter"))["finish_reason"] == "content_filter");
        CHECK(message(behavior().without_finish_reason())["finish_reason"].is_null());
        CHECK(streamed(behavior().without_finish_reason()).find("\"stop\"") == std::string::npos);
    }
    SECTION("usage, asked for or not")
    {
        behavior b;
        b.usage = true;
        CHECK(streamed(b).find("prompt_tokens") != std::string::npos);
        b.usage = false;
        CHECK(ask(p, whole()).body.find("usage") != std::string::npos);
        p.on_next(b);
        CHECK(ask(p, whole()).body.find("usage") == std::string::npos);
    }
}

TEST_CASE("mock: other paths, bad requests", "[mock]")
{
    mock::provider p;
    auto const models = json::parse(ask(p, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n").body);
    CHECK(models["data"][0]["id"] == "mock");

    response r = ask(p, "GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(r.status == 404);
    CHECK(json::parse(r.body)["error"]["type"] == "invalid_request_error");
    CHECK(ask(p, "GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n").status == 404);
    CHECK(ask(p, "POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\n\r\n").status == 400);

    for (char const* body :
        {"", "{", "[]", "{}", R"({"model":"m"})", R"({"model":"m","messages":[]})", R"({"model":"m","messages":{}})",
            R"({"model":1,"messages":[1]})", "{\"model\":\"\xff\",\"messages\":[1]}"})
    {
        INFO(body);
        r = ask(p, post(body));
        CHECK(r.status == 400);
        CHECK(json::parse(r.body)["error"]["message"].is_string());
    }
    CHECK(
        ask(p, post(R"({"model":"m","messages":[1,null,{"content":[{"text":3}]}],"n":-1,"stream":3})")).status == 200);
}

TEST_CASE("mock: embeddings", "[mock]")
{
    mock::provider p;
    auto const request = [](std::string const& members) {
        return post("{\"model\":\"m\"," + members + "}", {}, "1.1", "/v1/embeddings");
    };
    response const r = ask(p, request(R"("input":["one","two","one"])"));
    CHECK(r.status == 200);
    json const body = json::parse(r.body);
    CHECK(body["object"] == "list");
    CHECK(body["model"] == "m");
    CHECK(body["usage"]["prompt_tokens"] == 3);
    CHECK(body["usage"]["total_tokens"] == 3);
    REQUIRE(body["data"].size() == 3);
    CHECK(body["data"][1]["index"] == 1);
    CHECK(body["data"][0]["embedding"].size() == 8);
    CHECK(body["data"][0]["embedding"] == body["data"][2]["embedding"]);
    CHECK(body["data"][0]["embedding"] != body["data"][1]["embedding"]);
    CHECK(
        json::parse(ask(p, request(R"("input":"two")")).body)["data"][0]["embedding"] == body["data"][1]["embedding"]);
    double squares = 0;
    for (double const x : body["data"][0]["embedding"])
        squares += x * x;
    CHECK(std::abs(squares - 1) < 1e-5);
    CHECK(p.requests().at(0).model == "m");

    SECTION("dimensions and base64")
    {
        json const numbers = json::parse(ask(p, request(R"("input":"x","dimensions":3)")).body);
        json const bytes =
            json::parse(ask(p, request(R"("input":"x","dimensions":3,"encoding_format":"base64")")).body);
        REQUIRE(numbers["data"][0]["embedding"].size() == 3);
        std::string const text = bytes["data"][0]["embedding"];
        REQUIRE(text.size() == 16);
        unsigned char decoded[12];
        REQUIRE(EVP_DecodeBlock(decoded, reinterpret_cast<unsigned char const*>(text.data()), 16) == 12);
        for (std::size_t i = 0; i < 3; ++i)
        {
            float value = 0;
            std::memcpy(&value, decoded + 4 * i, 4);
            CHECK(value == numbers["data"][0]["embedding"][i].get<float>());
        }
    }
    SECTION("tokens")
    {
        CHECK(json::parse(ask(p, request(R"("input":[1,2,3])")).body)["data"].size() == 1);
        CHECK(json::parse(ask(p, request(R"("input":[[1,2],[3]])")).body)["data"].size() == 2);
    }
    SECTION("bad requests")
    {
        for (char const* members :
            {R"("x":1)", R"("input":"")", R"("input":[])", R"("input":[""])", R"("input":[null])", R"("input":3)",
                R"("input":{})", R"("input":"x","dimensions":0)", R"("input":"x","dimensions":4097)",
                R"("input":"x","dimensions":"3")", R"("input":"x","encoding_format":"int8")"})
        {
            INFO(members);
            CHECK(ask(p, request(members)).status == 400);
        }
        CHECK(ask(p, post(R"({"input":"x"})", {}, "1.1", "/v1/embeddings")).status == 400);
        CHECK(ask(p, "GET /v1/embeddings HTTP/1.1\r\nHost: x\r\n\r\n").status == 404);
    }
    SECTION("behaviors and keys")
    {
        p.on_next(behavior().with_status(429).with_retry_after("3"));
        response const refused = ask(p, request(R"("input":"x")"));
        CHECK(refused.status == 429);
        CHECK(refused.header("Retry-After") == "3");
        CHECK(ask(p, request(R"("input":"x","stream":true)")).header("Content-Type") == "application/json");
        p.on_next(behavior().cut_after(3));
        response const cut = ask(p, request(R"("input":"x")"));
        CHECK_FALSE(cut.complete);
        CHECK(cut.end == ending::closed);
        p.on_next(behavior().malformed_after(3));
        CHECK(json::parse(ask(p, request(R"("input":"x")")).body, nullptr, false).is_discarded());
        p.on_model("m", behavior().with_status(500));
        CHECK(ask(p, request(R"("input":"x")")).status == 500);
        p.set_keys({"sk-1"});
        CHECK(ask(p, request(R"("input":"x")")).status == 401);
    }
}

TEST_CASE("mock: moderations", "[mock]")
{
    mock::provider p;
    auto const request = [](std::string const& body) { return post(body, {}, "1.1", "/v1/moderations"); };
    json const body = json::parse(ask(p, request(R"({"input":["kind words","hate and violence"]})")).body);
    CHECK(body["model"] == "mock");
    REQUIRE(body["results"].size() == 2);
    CHECK(body["results"][0]["flagged"] == false);
    CHECK(body["results"][0]["categories"]["hate"] == false);
    CHECK(body["results"][1]["flagged"] == true);
    CHECK(body["results"][1]["categories"]["hate"] == true);
    CHECK(body["results"][1]["categories"]["sexual"] == false);
    CHECK(body["results"][1]["category_scores"]["violence"] > 0.9);
    CHECK(json::parse(ask(p, request(R"({"model":"m","input":"x"})")).body)["model"] == "m");
    for (char const* bad :
        {"{}", R"({"input":[]})", R"({"input":[1]})", R"({"input":null})", R"({"input":"x","model":1})"})
    {
        INFO(bad);
        CHECK(ask(p, request(bad)).status == 400);
    }
    p.on_next(behavior().with_status(503));
    CHECK(ask(p, request(R"({"input":"x"})")).status == 503);
    CHECK(ask(p, request(R"({"model":"mock-500","input":"x"})")).status == 500);
}

TEST_CASE("mock: statuses and their bodies", "[mock]")
{
    mock::provider p;
    p.on_next(behavior().with_status(503).with_retry_after("7").with_header("X-Extra", "yes"));
    response r = ask(p, stream());
    CHECK(r.status == 503);
    CHECK(r.header("Retry-After") == "7");
    CHECK(r.header("X-Extra") == "yes");
    CHECK(r.header("Content-Type") == "application/json");
    CHECK(json::parse(r.body)["error"]["code"] == "server_is_overloaded");

    p.on_next(behavior().with_status(502, "<html>").with_header("Content-Type", "text/html"));
    r = ask(p, whole());
    CHECK(r.status == 502);
    CHECK(r.body == "<html>");
    CHECK(r.header("Content-Type") == "text/html");

    behavior b = behavior().with_status(429).with_error("slow down", "rate", "17");
    b.error_code_is_number = true;
    p.on_next(b);
    json const error = json::parse(ask(p, whole()).body)["error"];
    CHECK(error["message"] == "slow down");
    CHECK(error["type"] == "rate");
    CHECK(error["code"] == 17);

    p.on_next(behavior().error_in_200());
    r = ask(p, stream());
    CHECK(r.status == 200);
    CHECK(json::parse(r.body)["error"]["code"] == "server_error");
}

TEST_CASE("mock: keys", "[mock]")
{
    mock::provider_params params;
    params.echo_key = true;
    mock::provider p(params);
    auto const with_key = [&](std::string const& headers) { return ask(p, post(chat_body("m"), headers)); };
    CHECK(with_key("").status == 200);
    p.set_keys({"sk-1", "sk-2"});
    CHECK(with_key("").status == 401);
    CHECK(with_key("Authorization: Bearer sk-1\r\n").status == 200);
    CHECK(with_key("authorization: bearer sk-2\r\n").status == 200);
    CHECK(with_key("api-key: sk-2\r\n").status == 200);
    CHECK(with_key("Authorization: Basic sk-2\r\n").status == 401);
    response const r = with_key("Authorization: Bearer sk-secret\r\n");
    CHECK(r.status == 401);
    CHECK(json::parse(r.body)["error"]["code"] == "invalid_api_key");
    CHECK(r.body.find("sk-secret") != std::string::npos);
    CHECK(ask(p, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n").status == 401);

    // A refused request leaves the queue alone.
    p.on_next(behavior().with_status(500));
    p.set_keys({"sk-3"});
    CHECK(with_key("Authorization: Bearer sk-1\r\n").status == 401);
    CHECK(with_key("Authorization: Bearer sk-3\r\n").status == 500);
    p.set_keys({});
    CHECK(with_key("").status == 200);

    mock::provider silent;
    silent.set_keys({"sk-1"});
    CHECK(ask(silent, post(chat_body("m"), "Authorization: Bearer sk-secret\r\n")).body.find("sk-secret") ==
          std::string::npos);
}

TEST_CASE("mock: what answers a request", "[mock]")
{
    mock::provider p;
    p.set_default(behavior().with_text("default"));
    p.on_model("special", behavior().with_text("model"));
    p.on_model("mock-401", behavior().with_text("replaced"));
    auto const text = [&](std::string const& model) {
        response const r = ask(p, whole(model));
        json const body = json::parse(r.body);
        return r.status == 200 ? body["choices"][0]["message"]["content"].get<std::string>() : std::to_string(r.status);
    };
    CHECK(text("anything") == "default");
    CHECK(text("special") == "model");
    CHECK(text("mock-500") == "500");
    CHECK(text("mock-401") == "replaced");

    p.set_faults({mock::fault_share(1.0, behavior().with_text("fault"))});
    CHECK(text("special") == "fault");
    std::vector<std::string> seen;
    p.set_function([&seen](mock::request_view const& r) {
        seen.emplace_back(r.model);
        if (r.model == "bad")
            throw std::runtime_error("thrown");
        return behavior().with_text("function " + std::string(r.target) + std::to_string(r.number));
    });
    CHECK(text("special") == "function /v1/chat/completions1");
    CHECK(text("bad") == "500");
    p.on_next(behavior().with_text("queue"));
    CHECK(text("special") == "queue");
    p.set_function({});
    p.set_faults({});
    CHECK(text("special") == "model");
    CHECK(seen == std::vector<std::string>{"special", "bad"});
}

TEST_CASE("mock: a script applies", "[mock]")
{
    std::string error;
    auto const script = mock::load_script(
        R"({"keys": ["k"], "default": {"reply": "d"}, "models": {"m": {"reply": "x"}}, "queue": [{"status": 503}]})",
        error);
    REQUIRE(script);
    mock::provider p;
    p.apply(*script);
    std::string const key = "Authorization: Bearer k\r\n";
    CHECK(ask(p, whole()).status == 401);
    CHECK(ask(p, post(chat_body("m"), key)).status == 503);
    CHECK(json::parse(ask(p, post(chat_body("m"), key)).body)["choices"][0]["message"]["content"] == "x");
    CHECK(json::parse(ask(p, post(chat_body("z"), key)).body)["choices"][0]["message"]["content"] == "d");
}

TEST_CASE("mock: the built-in models", "[mock]")
{
    mock::provider p;
    CHECK(ask(p, stream("mock-401")).status == 401);
    response const limited = ask(p, stream("mock-429"));
    CHECK(limited.status == 429);
    CHECK(limited.header("Retry-After") == "1");
    CHECK(ask(p, stream("mock-500")).status == 500);
    CHECK_FALSE(ask(p, stream("mock-cut")).complete);
    CHECK(ask(p, stream("mock-no-done")).body.find("[DONE]") == std::string::npos);
    CHECK(ask(p, stream("mock-error-in-stream")).body.find("\"error\"") != std::string::npos);
    CHECK(ask(p, stream("mock-tools")).body.find("get_weather") != std::string::npos);
    CHECK(ask(p, stream("mock-reasoning")).body.find("reasoning_content") != std::string::npos);
    auto const malformed = events(ask(p, stream("mock-malformed")).body);
    CHECK_FALSE(json::accept(malformed.at(4)));
}

TEST_CASE("mock: the log", "[mock]")
{
    mock::provider_params params;
    params.log_capacity = 3;
    mock::provider p(params);
    {
        raw_client first(p);
        first.send(post(chat_body("a"), "X-Test: yes\r\n"));
        CHECK(first.read().complete);
        raw_client second(p);
        second.send(whole("b"));
        CHECK(second.read().complete);
        second.send(whole("c"));
        CHECK(second.read().complete);
        REQUIRE(answered(p, 3));
        auto const log = p.requests();
        CHECK(log[0].connection == 1);
        CHECK(log[0].number == 1);
        CHECK(log[0].method == "POST");
        CHECK(log[0].target == "/v1/chat/completions");
        CHECK(log[0].headers.find("x-test") == "yes");
        CHECK(log[0].body == chat_body("a"));
        CHECK(log[0].model == "a");
        CHECK(log[0].status == 200);
        CHECK(*log[0].answered >= log[0].received);
        CHECK_FALSE(log[0].client_closed_early);
        CHECK(log[2].connection == 2);
        CHECK(log[2].number == 2);
        CHECK(p.connections_open() == 2);
    }
    CHECK(p.wait_until([&] { return p.connections_open() == 0; }, patience));
    CHECK(p.max_connections_open() == 2);
    CHECK(p.connections_accepted() == 2);
    CHECK(ask(p, whole("d")).complete);
    CHECK(p.request_count() == 4);
    REQUIRE(p.requests().size() == 3);
    CHECK(p.requests()[0].model == "b");
    CHECK_FALSE(p.wait_until([] { return false; }, milliseconds(1)));
}
