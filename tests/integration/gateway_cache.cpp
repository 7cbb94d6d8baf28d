// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The gateway with the client's cache: what it passes on comes back as it was sent.

#include "catch.hpp"
#include "gateway.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <string>

namespace mock = serin::mock;

namespace {

constexpr char chats[] = "/v1/chat/completions";

serin::client_params caching_upstream(mock::provider const& provider)
{
    auto p = params_for(provider.base_url());
    p.cache.emplace();
    return p;
}

std::string question(std::string const& more = {})
{
    return R"({"model":"mock","messages":[{"role":"user","content":"hi"}])" + more + "}";
}

} // namespace

TEST_CASE("gateway cache: a whole answer comes back byte by byte, and the head says so")
{
    mock::provider provider;
    running_gateway gateway(caching_upstream(provider));
    raw_caller caller(gateway.server.port());
    auto const first = caller.ask("POST", chats, question());
    CHECK(first.status == 200);
    CHECK(first.field("x-serin-cache") == "miss");
    // The same request in another form.
    auto const again =
        caller.ask("POST", chats, R"({ "messages": [{"content": "hi", "role": "user"}], "model": "mock" })");
    CHECK(again.field("x-serin-cache") == "hit");
    CHECK(again.field("x-serin-upstream") == "default");
    CHECK(again.field("x-serin-attempts") == "0");
    CHECK(again.body == first.body);
    CHECK(caller.ask("POST", chats, question(R"(,"top_p":0.5)")).field("x-serin-cache") == "miss");
    CHECK(provider.request_count() == 2);
}

TEST_CASE("gateway cache: a stream comes back event by event, with its usage for those who ask for it")
{
    mock::provider provider;
    running_gateway gateway(caching_upstream(provider));
    raw_caller caller(gateway.server.port());
    for (std::string const options : {"", R"(,"stream_options":{"include_usage":true})"})
    {
        auto const first = caller.ask("POST", chats, question(R"(,"stream":true)" + options));
        CHECK(first.status == 200);
        CHECK(first.whole);
        CHECK(first.field("x-serin-cache") == "miss");
        auto const again = caller.ask("POST", chats, question(R"(,"stream":true)" + options));
        CHECK(again.whole);
        CHECK(again.field("x-serin-cache") == "hit");
        CHECK(again.body == first.body);
        CHECK((again.body.find("\"usage\":{") != std::string::npos) == !options.empty());
    }
    CHECK(provider.request_count() == 2);
}

TEST_CASE("gateway cache: callers with other tokens do not share answers")
{
    mock::provider provider;
    serin::gateway::params p;
    // Their fingerprints are the same.
    std::string const one = "token-6170";
    std::string const two = "token-44637";
    REQUIRE(serin::secret(one).fingerprint() == serin::secret(two).fingerprint());
    p.tokens.emplace_back(one);
    p.tokens.emplace_back(two);
    running_gateway gateway(caching_upstream(provider), p);
    raw_caller caller(gateway.server.port());
    auto const ask_as = [&](std::string const& token) {
        return caller.ask("POST", chats, question(), "Authorization: Bearer " + token + "\r\n").field("x-serin-cache");
    };
    CHECK(ask_as(one) == "miss");
    CHECK(ask_as(one) == "hit");
    CHECK(ask_as(two) == "miss");
    CHECK(ask_as(two) == "hit");
}

TEST_CASE("gateway cache: a caller's Cache-Control counts")
{
    mock::provider provider;
    running_gateway gateway(caching_upstream(provider));
    raw_caller caller(gateway.server.port());
    auto const ask_with = [&](std::string const& fields) {
        return caller.ask("POST", chats, question(), fields).field("x-serin-cache");
    };
    CHECK(ask_with("Cache-Control: no-store\r\n") == "off");
    CHECK(ask_with("") == "miss");
    CHECK(ask_with("Cache-Control: no-cache\r\n") == "miss");
    CHECK(ask_with("") == "hit");
    CHECK(provider.request_count() == 3);
}
