// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Dialects, and what is not a chat.

#include "catch.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/use_future.hpp>

#include <string>

namespace asio = boost::asio;
using serin::errc;

namespace {

serin::client_params with_key(std::string base_url)
{
    auto p = params_for(std::move(base_url));
    p.upstreams[0].keys = serin::fixed_key(serin::secret("sk-1"));
    return p;
}

} // namespace

TEST_CASE("dialects: Azure's key, path and query")
{
    serin::mock::provider server;
    server.set_keys({"sk-1"});
    auto p = with_key("http://127.0.0.1:" + std::to_string(server.port()) + "/openai");
    p.upstreams[0].dialect = serin::dialect::azure("2024-10-21");
    chat_once(p, ask("my deployment/1"));
    auto const log = server.requests();
    REQUIRE(log.size() == 1);
    CHECK(log[0].target == "/openai/deployments/my%20deployment%2F1/chat/completions?api-version=2024-10-21");
    CHECK(log[0].headers.find("api-key") == "sk-1");
    CHECK(log[0].headers.find("authorization").empty());
}

TEST_CASE("dialects: OpenAI's organization, project and unpadded streams")
{
    serin::mock::provider server;
    auto p = with_key(server.base_url());
    p.upstreams[0].dialect = serin::dialect::openai();
    p.upstreams[0].organization = "org-1";
    p.upstreams[0].project = "proj-1";
    CHECK_FALSE(stream_once(p, ask()).ec);
    auto const log = server.requests();
    REQUIRE(log.size() == 1);
    CHECK(log[0].headers.find("OpenAI-Organization") == "org-1");
    CHECK(log[0].headers.find("OpenAI-Project") == "proj-1");
    CHECK_THAT(log[0].body, ContainsSubstring(R"("include_obfuscation":false)"));
    CHECK_THAT(log[0].body, ContainsSubstring(R"("include_usage":true)"));
}

TEST_CASE("dialects: others are not sent what they may not know")
{
    serin::mock::provider server;
    CHECK_FALSE(stream_once(params_for(server.base_url()), ask()).ec);
    CHECK(server.requests().at(0).body.find("obfuscation") == std::string::npos);
}

TEST_CASE("dialects: OpenRouter's names of the application")
{
    serin::mock::provider server;
    auto p = with_key(server.base_url());
    p.upstreams[0].dialect = serin::dialect::openrouter("Serin", "https://example.com");
    CHECK_FALSE(chat_once(p, ask()).ec);
    CHECK(server.requests().at(0).headers.find("X-Title") == "Serin");
    CHECK(server.requests().at(0).headers.find("HTTP-Referer") == "https://example.com");
}

TEST_CASE("dialects: what would break out of a head is refused")
{
    asio::io_context context;
    auto const refused = [&](auto change) {
        auto p = with_key("http://127.0.0.1:1/v1");
        change(p.upstreams[0]);
        try
        {
            serin::client c(context.get_executor(), p);
        }
        catch (serin::api_error const& e)
        {
            return e.code() == errc::invalid_argument;
        }
        return false;
    };
    CHECK(refused([](serin::upstream& u) { u.dialect.query = "a=b\r\nX: y"; }));
    CHECK(refused([](serin::upstream& u) { u.dialect.chat_path = "/a b"; }));
    CHECK(refused([](serin::upstream& u) { u.dialect.key_header = "X Y"; }));
    CHECK(refused([](serin::upstream& u) { u.organization = "o\n"; }));
    CHECK(refused([](serin::upstream& u) { u.headers.emplace_back("Content-Length", "1"); }));
    CHECK(refused([](serin::upstream& u) { u.headers.emplace_back("authorization", "Bearer x"); }));
}

TEST_CASE("raw requests: any method and path, any JSON")
{
    serin::mock::provider server;
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::raw_response const models = co_await client.async_request(serin::raw_request("GET", "/models"));
        CHECK(models.status == 200);
        CHECK_THAT(models.body, ContainsSubstring("\"data\""));
        CHECK_FALSE(models.request_id.empty());
        CHECK(models.upstream == "default");

        serin::diagnostics diag;
        auto [ec, r] = co_await client.async_request(
            serin::raw_request("POST", "/no/such/path", "{}"), diag, asio::as_tuple(asio::use_awaitable));
        CHECK(ec == errc::not_found);
        CHECK(diag.status == 404);

        auto [ec2, r2] = co_await client.async_request(
            serin::raw_request("GET", "no slash"), diag, asio::as_tuple(asio::use_awaitable));
        CHECK(ec2 == errc::invalid_argument);
    };
    run(context, body());
    auto const log = server.requests();
    REQUIRE(log.size() == 2);
    CHECK(log[0].method == "GET");
    CHECK(log[0].target == "/v1/models");
    CHECK(log[0].body.empty());
    CHECK(log[0].headers.find("content-length").empty());
    CHECK(log[1].body == "{}");
    CHECK(server.connections_accepted() == 1);
}

TEST_CASE("embeddings: one vector for each text, in its place, in either encoding")
{
    serin::mock::provider server;
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::embedding_request request;
        request.model = "embed";
        request.input = {"one", "two", "one"};
        serin::embedding_response const packed = co_await client.async_embed(request);
        REQUIRE(packed.vectors.size() == 3);
        CHECK_FALSE(packed.vectors[0].empty());
        CHECK(packed.vectors[0] == packed.vectors[2]);
        CHECK(packed.vectors[0] != packed.vectors[1]);
        CHECK(packed.upstream == "default");
        CHECK_FALSE(packed.request_id.empty());

        request.encoding = serin::embedding_encoding::floats;
        serin::embedding_response const plain = co_await client.async_embed(request);
        CHECK(plain.vectors == packed.vectors);

        request.input.clear();
        serin::diagnostics diag;
        auto [ec, nothing] = co_await client.async_embed(request, diag, asio::as_tuple(asio::use_awaitable));
        CHECK(ec == errc::invalid_argument);
        CHECK_THAT(diag.message, ContainsSubstring("input"));
    };
    run(context, body());
}

TEST_CASE("moderations and models")
{
    serin::mock::provider server;
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::moderation_request request;
        request.input = {"be kind", "be kind too"};
        serin::moderation_response const verdict = co_await client.async_moderate(request);
        CHECK(verdict.results.size() == 2);

        serin::model_list const list = co_await client.async_models();
        CHECK_FALSE(list.models.empty());
        CHECK(list.upstream == "default");

        server.set_keys({"sk-other"});
        auto [ec, nothing] = co_await client.async_models(asio::as_tuple(asio::use_awaitable));
        CHECK(ec == errc::authentication);
    };
    run(context, body());
}
