// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Answers as C++ values: what is asked for, what is read, and every way in which it is not there.

#include <serin/structured.hpp>

#include "catch.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using serin::errc;
using serin::mock::behavior;

namespace structured_test {

struct step
{
    std::string text;
    std::optional<int> minutes;
};
BOOST_DESCRIBE_STRUCT(step, (), (text, minutes))

struct recipe
{
    std::string title;
    std::vector<step> steps;
};
BOOST_DESCRIBE_STRUCT(recipe, (), (title, steps))

} // namespace structured_test

using structured_test::recipe;

namespace {

constexpr char const* soup = R"({"title":"Soup","steps":[{"text":"boil","minutes":10},{"text":"eat","minutes":null}]})";

class parse_outcome
{
public:
    serin::error_code ec;
    serin::diagnostics diag;
    serin::parsed<recipe> result;

    parse_outcome() {}
};

parse_outcome parse_once(serin::mock::provider const& server, serin::chat_request request = ask())
{
    parse_outcome out;
    asio::io_context context;
    auto p = params_for(server.base_url());
    p.retry.max_attempts = 1;
    serin::client client(context.get_executor(), p);
    serin::async_parse<recipe>(
        client, std::move(request), out.diag, [&](serin::error_code ec, serin::parsed<recipe> result) {
            out.ec = ec;
            out.result = std::move(result);
        });
    context.run_for(std::chrono::seconds(60));
    REQUIRE(context.stopped());
    return out;
}

// A whole answer with these members of the choice.
behavior answer_with(std::string message, std::string finish_reason)
{
    return behavior().with_status(
        200, R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)" +
                 message + R"(,"finish_reason":")" + finish_reason + "\"}]}");
}

} // namespace

TEST_CASE("structured: a value of the type comes back")
{
    serin::mock::provider server;
    server.set_default(behavior().with_text(soup));
    parse_outcome const r = parse_once(server);
    REQUIRE_FALSE(r.ec);
    CHECK(r.result.value.title == "Soup");
    REQUIRE(r.result.value.steps.size() == 2);
    CHECK(r.result.value.steps[0].minutes == 10);
    CHECK_FALSE(r.result.value.steps[1].minutes);
    CHECK(r.result.response.text() == soup);
    CHECK(r.result.response.finish_reason() == "stop");
    CHECK(r.diag.attempts.size() == 1);
    CHECK_FALSE(r.diag.partial);
}

TEST_CASE("structured: the strict schema is asked for")
{
    serin::mock::provider server;
    server.set_default(behavior().with_text(soup));
    parse_once(server);
    auto request = ask();
    request.response_format.emplace();
    request.response_format->name = "recipe";
    request.response_format->description = "How to cook";
    request.response_format->schema = "{}";
    parse_once(server, request);
    auto const log = server.requests();
    REQUIRE(log.size() == 2);
    auto const plain = nlohmann::json::parse(log[0].body)["response_format"];
    CHECK(plain["type"] == "json_schema");
    CHECK(plain["json_schema"]["name"] == "answer");
    CHECK(plain["json_schema"]["strict"] == true);
    CHECK(plain["json_schema"]["schema"] == nlohmann::json::parse(serin::schema_of<recipe>()));
    auto const named = nlohmann::json::parse(log[1].body)["response_format"]["json_schema"];
    CHECK(named["name"] == "recipe");
    CHECK(named["description"] == "How to cook");
    CHECK(named["schema"] == plain["json_schema"]["schema"]);
}

TEST_CASE("structured: what is no answer of the type has an error of its own")
{
    serin::mock::provider server;
    SECTION("refusal")
    {
        server.set_default(
            answer_with(R"({"role":"assistant","content":null,"refusal":"I cannot cook that."})", "stop"));
        parse_outcome const r = parse_once(server);
        CHECK(r.ec == errc::refused);
        CHECK(r.diag.message == "I cannot cook that.");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->refusal() == "I cannot cook that.");
        CHECK(r.diag.status == 200);
    }
    SECTION("length")
    {
        server.set_default(behavior().with_text(R"({"title":"So)").with_finish_reason("length"));
        parse_outcome const r = parse_once(server);
        CHECK(r.ec == errc::length_limited);
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == R"({"title":"So)");
        CHECK(r.result.response.text() == R"({"title":"So)");
    }
    SECTION("content filter")
    {
        server.set_default(behavior().with_text(soup).with_finish_reason("content_filter"));
        parse_outcome const r = parse_once(server);
        CHECK(r.ec == errc::content_filtered);
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == soup);
    }
    SECTION("another type")
    {
        server.set_default(behavior().with_text(R"({"title":"Soup","steps":[{"text":7}]})"));
        parse_outcome const r = parse_once(server);
        CHECK(r.ec == errc::malformed_response);
        CHECK_THAT(r.diag.message, ContainsSubstring("steps[0].text: not a string"));
        REQUIRE(r.diag.partial);
        CHECK(r.result.value.title.empty());
    }
    SECTION("not JSON")
    {
        server.set_default(behavior().with_text("Of course! Here is"));
        parse_outcome const r = parse_once(server);
        CHECK(r.ec == errc::malformed_response);
        CHECK_THAT(r.diag.message, ContainsSubstring("not valid JSON"));
    }
    SECTION("an error of the server stays what it is")
    {
        server.set_default(behavior().with_status(429));
        parse_outcome const r = parse_once(server);
        CHECK(r.ec == errc::rate_limited);
        CHECK(r.diag.status == 429);
        CHECK_FALSE(r.diag.partial);
    }
}

TEST_CASE("structured: without tokens of one's own, co_await returns or throws")
{
    serin::mock::provider server;
    server.on_next(behavior().with_text(soup));
    server.on_next(behavior().with_text("no"));
    server.on_next(behavior().with_text(soup));
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::parsed<recipe>>);
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::parsed<recipe> const first = co_await serin::async_parse<recipe>(client, ask());
        CHECK(first.value.title == "Soup");
        try
        {
            co_await serin::async_parse<recipe>(client, ask());
            FAIL("it must throw");
        }
        catch (serin::api_error const& e)
        {
            CHECK(e.code() == errc::malformed_response);
            REQUIRE(e.diag().partial);
            CHECK(e.diag().partial->text() == "no");
        }
        serin::parsed<recipe> const third = co_await serin::async_parse<recipe>(client, ask(), asio::deferred);
        CHECK(third.value.steps.size() == 2);
    };
    run(context, body());
}

TEST_CASE("structured: a future, an executor of one's own, no diagnostics")
{
    serin::mock::provider server;
    server.set_default(behavior().with_text(soup));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto future = serin::async_parse<recipe>(client, ask(), asio::use_future);
    auto const strand = asio::make_strand(context);
    bool there = false;
    serin::async_parse<recipe>(
        client, ask(), asio::bind_executor(strand, [&](serin::error_code ec, serin::parsed<recipe> result) {
            CHECK_FALSE(ec);
            CHECK(result.value.title == "Soup");
            there = strand.running_in_this_thread();
        }));
    context.run_for(std::chrono::seconds(60));
    CHECK(there);
    CHECK(future.get().value.title == "Soup");
    server.set_default(behavior().with_text("no"));
    context.restart();
    auto failed = serin::async_parse<recipe>(client, ask(), asio::use_future);
    context.run_for(std::chrono::seconds(60));
    CHECK_THROWS_AS(failed.get(), boost::system::system_error);
}

TEST_CASE("structured: it can be cancelled")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(serin::mock::forever));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    asio::cancellation_signal stop;
    serin::error_code ec;
    serin::async_parse<recipe>(client, ask(),
        asio::bind_cancellation_slot(stop.slot(), [&](serin::error_code e, serin::parsed<recipe>) { ec = e; }));
    context.run_for(std::chrono::milliseconds(1));
    stop.emit(asio::cancellation_type::total);
    context.run_for(std::chrono::seconds(60));
    REQUIRE(context.stopped());
    CHECK(ec == asio::error::operation_aborted);
}
