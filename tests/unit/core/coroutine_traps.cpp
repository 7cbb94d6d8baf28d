// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// GCC 12.2 destroys temporaries of aggregate type within a co_await expression twice. What users write must be safe:
// every class that they may spell there has user-declared constructors. The address sanitizer sees it if not.

#include "catch.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/deferred.hpp>

#include <string>
#include <type_traits>
#include <vector>

namespace asio = boost::asio;

TEST_CASE("nothing that may stand in a co_await expression is an aggregate")
{
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::chat_request>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::message>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::content_part>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::tool>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::tool_call>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::response_format>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::chat_response>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::chat_delta>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::diagnostics>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::default_token>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::header>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::secret>);
}

TEST_CASE("requests spelled within a co_await expression are destroyed once")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().echoing());
    std::string const long_text(200, 'x'); // Not within the string itself: a second destruction is seen
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::chat_response a = co_await client.async_chat(serin::chat_request("mock").user(long_text));
        CHECK(a.text() == long_text);
        serin::chat_response b =
            co_await client.async_chat(serin::chat_request("mock").system("s").add(serin::message("user", long_text)));
        CHECK(b.text() == long_text);
        serin::chat_response c = co_await client.async_chat(serin::chat_request("mock").add({"user", long_text}));
        CHECK(c.text() == long_text);
        serin::chat_request request("mock");
        request.user(long_text);
        serin::chat_response d = co_await client.async_chat(request);
        CHECK(d.text() == long_text);
        serin::chat_response e = co_await client.async_chat(std::move(request), asio::deferred);
        CHECK(e.text() == long_text);
        serin::chat_stream stream = co_await client.async_stream(serin::chat_request("mock").user("a b c"));
        std::string text;
        while (auto delta = co_await stream.async_next())
            text += delta->text;
        CHECK(text == "a b c");
    };
    run(context, body());
}
