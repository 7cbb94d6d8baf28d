// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Runs with tools: what the model is told, in which order, and how a run ends.

#include <serin/tools.hpp>

#include "catch.hpp"
#include "run.hpp"

#include <serin/chat/schema.hpp>
#include <serin/mock/provider.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using nlohmann::json;
using serin::errc;
using serin::mock::behavior;

namespace tools_test {

struct query
{
    std::string city;
    std::optional<int> days;
};
BOOST_DESCRIBE_STRUCT(query, (), (city, days))

struct weather
{
    std::string sky;
    double celsius = 0;
};
BOOST_DESCRIBE_STRUCT(weather, (), (sky, celsius))

} // namespace tools_test

using tools_test::query;
using tools_test::weather;

namespace {

constexpr char const* any_object = R"({"type":"object"})";

// What a run came to.
class run_outcome
{
public:
    serin::error_code ec;
    serin::diagnostics diag;
    serin::tool_run result;
    bool completed = false;

    run_outcome() {}

    auto handler()
    {
        return [this](serin::error_code e, serin::tool_run r) {
            ec = e;
            result = std::move(r);
            completed = true;
        };
    }
};

serin::client_params once(serin::mock::provider const& server)
{
    auto p = params_for(server.base_url());
    p.retry.max_attempts = 1;
    return p;
}

run_outcome run_tools(serin::mock::provider const& server, serin::tool_set const& tools,
    serin::tool_options const& options = serin::tool_options(), serin::chat_request request = ask())
{
    run_outcome out;
    asio::io_context context;
    serin::client client(context.get_executor(), once(server));
    serin::async_run_tools(client, std::move(request), tools, options, out.diag, out.handler());
    context.run_for(60s);
    REQUIRE(context.stopped());
    REQUIRE(out.completed);
    return out;
}

// A whole completion with these tool calls and finish reason.
behavior calls(std::string const& tool_calls, std::string const& finish_reason = "tool_calls")
{
    return behavior().with_status(
        200, R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)"
             R"({"role":"assistant","content":null,"tool_calls":)" +
                 tool_calls + R"(},"finish_reason":")" + finish_reason + "\"}]}");
}

std::string call_json(std::string const& id, std::string const& name)
{
    json call = {{"type", "function"}, {"function", {{"name", name}, {"arguments", "{}"}}}};
    if (!id.empty())
        call["id"] = id;
    return call.dump();
}

std::vector<std::string> roles(serin::tool_run const& r)
{
    std::vector<std::string> all;
    for (auto const& m : r.messages)
        all.push_back(m.role);
    return all;
}

using texts = std::vector<std::string>;

// A tool that waits until it is cancelled.
asio::awaitable<std::string> wait_for_ever(std::atomic<bool>& started, std::atomic<bool>& ended)
{
    struct note
    {
        std::atomic<bool>& flag;
        ~note() { flag = true; }
    } const at_end{ended};
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max());
    started = true;
    co_await timer.async_wait(asio::use_awaitable);
    co_return "never";
}

} // namespace

TEST_CASE("tools: a call is made and its result told to the model")
{
    bool const stream = GENERATE(true, false);
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("get_weather", R"({"city":"Kiel"})"));
    server.on_next(behavior().with_text("It is sunny"));
    std::string seen;
    serin::tool_set tools;
    tools.add("get_weather", "The weather", any_object, [&](std::string_view arguments) {
        seen = arguments;
        return "sunny";
    });
    serin::tool_options options;
    options.stream = stream;
    run_outcome const r = run_tools(server, tools, options);
    REQUIRE_FALSE(r.ec);
    CHECK(json::parse(seen) == json::parse(R"({"city":"Kiel"})"));
    CHECK(r.result.response.text() == "It is sunny");
    CHECK(r.result.rounds == 2);
    REQUIRE(roles(r.result) == texts{"user", "assistant", "tool", "assistant"});
    REQUIRE(r.result.messages[1].tool_calls.size() == 1);
    CHECK(r.result.messages[2].content == "sunny");
    CHECK(r.result.messages[2].tool_call_id == r.result.messages[1].tool_calls[0].id);
    CHECK(r.result.messages[3].content == "It is sunny");
    CHECK(r.diag.request_id == "req_mock_2");

    auto const log = server.requests();
    REQUIRE(log.size() == 2);
    json const first = json::parse(log[0].body);
    CHECK(first.value("stream", false) == stream);
    CHECK(first["messages"].size() == 1);
    REQUIRE(first["tools"].size() == 1);
    CHECK(first["tools"][0]["function"]["name"] == "get_weather");
    CHECK(first["tools"][0]["function"]["description"] == "The weather");
    CHECK(first["tools"][0]["function"]["parameters"]["type"] == "object");
    json const second = json::parse(log[1].body);
    CHECK(second["tools"] == first["tools"]);
    REQUIRE(second["messages"].size() == 3);
    CHECK(second["messages"][1]["tool_calls"][0]["function"]["arguments"] == R"({"city":"Kiel"})");
    CHECK(second["messages"][2]["role"] == "tool");
    CHECK(second["messages"][2]["content"] == "sunny");
    CHECK(second["messages"][2]["tool_call_id"] == second["messages"][1]["tool_calls"][0]["id"]);
}

TEST_CASE("tools: an answer without a call ends the run at once")
{
    serin::mock::provider server;
    server.set_default(behavior().with_text("hi"));
    run_outcome const r = run_tools(server, serin::tool_set());
    REQUIRE_FALSE(r.ec);
    CHECK(r.result.rounds == 1);
    CHECK(roles(r.result) == texts{"user", "assistant"});
    CHECK(json::parse(server.requests()[0].body).count("tools") == 0);
}

TEST_CASE("tools: those of the request stay, and win")
{
    serin::mock::provider server;
    server.set_default(behavior().with_text("hi"));
    serin::tool_set tools;
    tools.add("a", "mine", any_object, [](std::string_view) { return ""; });
    tools.add("b", "first", any_object, [](std::string_view) { return ""; });
    tools.add("b", "second", any_object, [](std::string_view) { return ""; });
    CHECK(tools.definitions().size() == 2);
    auto request = ask();
    request.add(serin::tool("a", "of the request", any_object));
    run_tools(server, tools, serin::tool_options(), request);
    json const sent = json::parse(server.requests()[0].body)["tools"];
    REQUIRE(sent.size() == 2);
    CHECK(sent[0]["function"]["description"] == "of the request");
    CHECK(sent[1]["function"]["description"] == "second");
}

TEST_CASE("tools: functions of described structs")
{
    serin::mock::provider server;
    server.on_next(behavior()
                       .with_tool_call("text", R"({"city":"Kiel"})")
                       .with_tool_call("value", R"({"city":"Rom","days":3})")
                       .with_tool_call("later", R"({"city":"Ulm"})")
                       .with_tool_call("json", R"({"city":"Bonn"})")
                       .with_tool_call("value", R"({"city":7})"));
    server.on_next(behavior().with_text("done"));
    serin::tool_set tools;
    tools.add<query>("text", "", [](query q) { return "in " + q.city; });
    tools.add<query>("value", "", [](query const& q) {
        weather w;
        w.sky = "blue over " + q.city;
        w.celsius = q.days.value_or(0) + 0.5;
        return w;
    });
    tools.add<query>("later", "", [](query q) -> asio::awaitable<weather> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
        co_await timer.async_wait(asio::use_awaitable);
        weather w;
        w.sky = "grey over " + q.city;
        co_return w;
    });
    tools.add<query>("json", "", [](query q) { return json{{"city", q.city}}; });
    run_outcome const r = run_tools(server, tools);
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.result.messages.size() == 8);
    CHECK(r.result.messages[2].content == "in Kiel");
    CHECK(r.result.messages[3].content == R"({"sky":"blue over Rom","celsius":3.5})");
    CHECK(r.result.messages[4].content == R"({"sky":"grey over Ulm","celsius":0.0})");
    CHECK(r.result.messages[5].content == R"({"city":"Bonn"})");
    CHECK(r.result.messages[6].content == "Invalid arguments: city: not a string");
    json const sent = json::parse(server.requests()[0].body)["tools"][0]["function"];
    CHECK(sent["strict"] == true);
    CHECK(sent["parameters"] == json::parse(serin::schema_of<query>()));
}

TEST_CASE("tools: asynchronous ones run at the same time, and results keep their order")
{
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("waits", "{}").with_tool_call("wakes", "{}").with_tool_call("now", "{}"));
    server.on_next(behavior().with_text("done"));
    std::shared_ptr<asio::steady_timer> timer;
    serin::tool_set tools;
    // Ends only if the other one runs meanwhile.
    tools.add("waits", "", any_object, [&timer](std::string_view) -> asio::awaitable<std::string> {
        timer = std::make_shared<asio::steady_timer>(
            co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max());
        serin::error_code ec;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        timer.reset();
        co_return "first";
    });
    tools.add("wakes", "", any_object, [&timer](std::string_view) -> asio::awaitable<std::string> {
        while (!timer)
            co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        timer->cancel();
        co_return "second";
    });
    tools.add("now", "", any_object, [](std::string_view) { return "third"; });
    serin::tool_options options;
    texts ended;
    options.on_result = [&](serin::tool_call const& call, std::string_view) { ended.push_back(call.name); };
    run_outcome const r = run_tools(server, tools, options);
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.result.messages.size() == 6);
    CHECK(r.result.messages[2].content == "first");
    CHECK(r.result.messages[3].content == "second");
    CHECK(r.result.messages[4].content == "third");
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(r.result.messages[2 + i].tool_call_id == r.result.messages[1].tool_calls[i].id);
    REQUIRE(ended.size() == 3);
    CHECK(std::find(ended.begin(), ended.end(), "wakes") < std::find(ended.begin(), ended.end(), "waits"));
}

TEST_CASE("tools: one after another if the request says so")
{
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("t", "{}").with_tool_call("t", "{}").with_tool_call("t", "{}"));
    server.on_next(behavior().with_text("done"));
    int running = 0;
    int most = 0;
    serin::tool_set tools;
    tools.add("t", "", any_object, [&](std::string_view) -> asio::awaitable<std::string> {
        most = std::max(most, ++running);
        for (int i = 0; i < 10; ++i)
            co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        --running;
        co_return "x";
    });
    auto request = ask();
    SECTION("in parallel by default")
    {
        REQUIRE_FALSE(run_tools(server, tools, serin::tool_options(), request).ec);
        CHECK(most == 3);
    }
    SECTION("not then")
    {
        request.parallel_tool_calls = false;
        REQUIRE_FALSE(run_tools(server, tools, serin::tool_options(), request).ec);
        CHECK(most == 1);
    }
}

TEST_CASE("tools: what goes wrong is told to the model")
{
    serin::mock::provider server;
    server.on_next(behavior()
                       .with_tool_call("nosuch", "{}")
                       .with_tool_call("ok", R"({"cut)")
                       .with_tool_call("throws", "{}")
                       .with_tool_call("throws_later", "{}")
                       .with_tool_call("throws_a_number", "{}")
                       .with_tool_call("refuses", "{}")
                       .with_tool_call("empty", "{}")
                       .with_tool_call("ok", ""));
    server.on_next(behavior().with_text("done"));
    serin::tool_set tools;
    tools.add("ok", "", any_object, [](std::string_view a) { return "got " + std::string(a); });
    tools.add("throws", "", any_object, [](std::string_view) -> std::string { throw std::runtime_error("no disk"); });
    tools.add("throws_later", "", any_object, [](std::string_view) -> asio::awaitable<std::string> {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        throw std::runtime_error("no net");
    });
    tools.add("throws_a_number", "", any_object, [](std::string_view) -> std::string { throw 5; });
    tools.add("refuses", "", any_object,
        [](std::string_view) -> std::string { throw serin::bad_tool_arguments("days must be positive"); });
    tools.add("empty", "", any_object, serin::tool_set::function());
    serin::tool_options options;
    texts reported;
    options.on_error = [&](std::string_view where, std::exception_ptr error) {
        CHECK(error);
        reported.emplace_back(where);
    };
    run_outcome const r = run_tools(server, tools, options);
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.result.messages.size() == 11);
    CHECK(r.result.messages[2].content ==
          "Invalid tool_call: there is no tool \"nosuch\". Available options are: \"ok\", \"throws\", "
          "\"throws_later\", \"throws_a_number\", \"refuses\", \"empty\"");
    CHECK(r.result.messages[3].content == "Invalid arguments: not valid JSON");
    CHECK(r.result.messages[4].content == "Error: no disk");
    CHECK(r.result.messages[5].content == "Error: no net");
    CHECK(r.result.messages[6].content == "Error: the tool failed");
    CHECK(r.result.messages[7].content == "Invalid arguments: days must be positive");
    CHECK_THAT(r.result.messages[8].content, ContainsSubstring("Error: "));
    CHECK(r.result.messages[9].content == "got {}");
    std::sort(reported.begin(), reported.end());
    CHECK(reported == texts{"empty", "throws", "throws_a_number", "throws_later"});
}

TEST_CASE("tools: calls without an id, or with one that was used, get one")
{
    bool const stream = GENERATE(true, false);
    serin::mock::provider server;
    server.on_next(calls("[" + call_json("", "t") + "," + call_json("call_1", "t") + "," + call_json("same", "t") +
                         "," + call_json("same", "t") + "]"));
    server.on_next(calls("[" + call_json("same", "t") + "]"));
    server.on_next(behavior().with_text("done"));
    serin::tool_set tools;
    tools.add("t", "", any_object, [](std::string_view) { return "x"; });
    serin::tool_options options;
    options.stream = stream;
    run_outcome const r = run_tools(server, tools, options);
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.result.messages.size() == 9);
    texts ids;
    for (std::size_t i : {2u, 3u, 4u, 5u, 7u})
        ids.push_back(r.result.messages[i].tool_call_id);
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(r.result.messages[1].tool_calls[i].id == ids[i]);
    CHECK(r.result.messages[6].tool_calls[0].id == ids[4]);
    for (std::string const& id : ids)
    {
        CHECK_FALSE(id.empty());
        CHECK(std::count(ids.begin(), ids.end(), id) == 1);
    }
    CHECK(ids[2] == "same");
    CHECK(ids[0].starts_with("call_"));
}

TEST_CASE("tools: a custom tool gets its text as it is")
{
    serin::mock::provider server;
    server.on_next(calls(R"([{"id":"a","type":"custom","custom":{"name":"sh","input":"ls -l"}}])"));
    server.on_next(behavior().with_text("done"));
    serin::tool_set tools;
    tools.add(serin::tool::custom("sh", "A shell"), [](std::string_view input) { return "ran " + std::string(input); });
    serin::tool_options options;
    options.stream = false;
    run_outcome const r = run_tools(server, tools, options);
    REQUIRE_FALSE(r.ec);
    REQUIRE(r.result.messages.size() == 4);
    CHECK(r.result.messages[2].content == "ran ls -l");
    json const sent = json::parse(server.requests()[1].body);
    CHECK(sent["tools"][0]["type"] == "custom");
    CHECK(sent["messages"][1]["tool_calls"][0]["custom"]["input"] == "ls -l");
}

TEST_CASE("tools: rounds are bounded")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tool_call("t", "{}"));
    int called = 0;
    serin::tool_set tools;
    tools.add("t", "", any_object, [&](std::string_view) { return std::to_string(++called); });
    serin::tool_options options;
    SECTION("10 by default")
    {
        run_outcome const r = run_tools(server, tools, options);
        CHECK(r.ec == errc::too_many_rounds);
        CHECK(r.result.rounds == 10);
        CHECK(called == 10);
        CHECK(server.request_count() == 10);
    }
    SECTION("with the conversation so far, which can be gone on with")
    {
        options.max_rounds = 3;
        run_outcome const r = run_tools(server, tools, options);
        CHECK(r.ec == errc::too_many_rounds);
        CHECK(r.result.rounds == 3);
        CHECK_THAT(r.diag.message, ContainsSubstring("round 3"));
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->tool_calls().size() == 1);
        CHECK(roles(r.result) == texts{"user", "assistant", "tool", "assistant", "tool", "assistant", "tool"});
        CHECK(r.result.messages[6].content == "3");

        server.set_default(behavior().with_text("at last"));
        serin::chat_request more("mock");
        more.messages = r.result.messages;
        run_outcome const again = run_tools(server, tools, options, more);
        REQUIRE_FALSE(again.ec);
        CHECK(again.result.messages.size() == 8);
    }
    SECTION("at least one")
    {
        options.max_rounds = 0;
        CHECK(run_tools(server, tools, options).result.rounds == 1);
    }
}

TEST_CASE("tools: a choice that demands a call does so once")
{
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("t", "{}"));
    server.on_next(behavior().with_text("done"));
    serin::tool_set tools;
    tools.add("t", "", any_object, [](std::string_view) { return "x"; });
    auto request = ask();
    json expected = "auto";
    SECTION("required")
    {
        request.tool_choice = serin::tool_choice::required();
    }
    SECTION("function")
    {
        request.tool_choice = serin::tool_choice::function("t");
    }
    SECTION("allowed tools stay")
    {
        request.tool_choice = serin::tool_choice::allowed_tools({"t"}, "required");
        expected = json();
    }
    REQUIRE_FALSE(run_tools(server, tools, serin::tool_options(), request).ec);
    json const first = json::parse(server.requests()[0].body)["tool_choice"];
    json const second = json::parse(server.requests()[1].body)["tool_choice"];
    CHECK(first != second);
    if (expected.is_null())
        CHECK(second["allowed_tools"]["mode"] == "auto");
    else
        CHECK(second == expected);
}

TEST_CASE("tools: an answer that was cut off among its calls is an error, and nothing is called")
{
    std::string const reason = GENERATE("length", "content_filter");
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("t", "{}"));
    server.on_next(behavior().with_tool_call("t", "{\"a\":").with_finish_reason(reason));
    int called = 0;
    serin::tool_set tools;
    tools.add("t", "", any_object, [&](std::string_view) { return std::to_string(++called); });
    run_outcome const r = run_tools(server, tools);
    CHECK(r.ec == (reason == "length" ? errc::length_limited : errc::content_filtered));
    CHECK(called == 1);
    REQUIRE(r.diag.partial);
    CHECK(r.diag.partial->tool_calls().size() == 1);
    CHECK(roles(r.result) == texts{"user", "assistant", "tool"});
}

TEST_CASE("tools: an error ends the run, with the conversation so far")
{
    bool const stream = GENERATE(true, false);
    serin::mock::provider server;
    serin::tool_set tools;
    tools.add("t", "", any_object, [](std::string_view) { return "x"; });
    serin::tool_options options;
    options.stream = stream;
    server.on_next(behavior().with_tool_call("t", "{}"));
    SECTION("refused")
    {
        server.on_next(behavior().with_status(401));
        run_outcome const r = run_tools(server, tools, options);
        CHECK(r.ec == errc::authentication);
        CHECK(r.diag.status == 401);
        CHECK(r.result.rounds == 2);
        CHECK(roles(r.result) == texts{"user", "assistant", "tool"});
    }
    SECTION("a stream that is cut")
    {
        server.on_next(behavior().cut_after(3));
        run_outcome const r = run_tools(server, tools, options);
        CHECK(r.ec == (stream ? errc::stream_truncated : errc::malformed_response));
        if (stream)
        {
            REQUIRE(r.diag.partial);
            CHECK(r.diag.partial->text() == "tok1 tok2 tok3");
            CHECK(r.result.response.text() == "tok1 tok2 tok3");
        }
    }
    SECTION("a request that cannot be sent")
    {
        serin::tool_set bad = tools;
        bad.add("u", "", "not a schema", [](std::string_view) { return ""; });
        run_outcome const r = run_tools(server, bad, options);
        CHECK(r.ec == errc::invalid_argument);
        CHECK(server.request_count() == 0);
    }
}

TEST_CASE("tools: observers see deltas, answers and results")
{
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("t", R"({"a":1})"));
    server.on_next(behavior().with_text("one two three"));
    serin::tool_set tools;
    tools.add("t", "", any_object, [](std::string_view) { return "x"; });
    serin::tool_options options;
    std::string text;
    std::string arguments;
    int answers = 0;
    texts results;
    options.on_delta = [&](serin::chat_delta const& d) {
        text += d.text;
        for (auto const& call : d.tool_calls)
            arguments += call.arguments;
    };
    options.on_response = [&](serin::chat_response const& r) {
        ++answers;
        CHECK(r.usage);
    };
    options.on_result = [&](serin::tool_call const& call, std::string_view result) {
        results.push_back(call.name + "=" + std::string(result));
    };
    SECTION("as they are")
    {
        REQUIRE_FALSE(run_tools(server, tools, options).ec);
        CHECK(text == "one two three");
        CHECK(arguments == R"({"a":1})");
        CHECK(answers == 2);
        CHECK(results == texts{"t=x"});
    }
    SECTION("and what they throw is reported")
    {
        options.on_delta = [](serin::chat_delta const&) { throw 1; };
        options.on_response = [](serin::chat_response const&) { throw 2; };
        options.on_result = [](serin::tool_call const&, std::string_view) { throw 3; };
        texts where;
        options.on_error = [&](std::string_view name, std::exception_ptr) {
            where.emplace_back(name);
            throw 4;
        };
        REQUIRE_FALSE(run_tools(server, tools, options).ec);
        CHECK(std::count(where.begin(), where.end(), "on_response") == 2);
        CHECK(std::count(where.begin(), where.end(), "on_result") == 1);
        CHECK(std::count(where.begin(), where.end(), "on_delta") >= 4);
    }
}

TEST_CASE("tools: cancelling ends a run wherever it is")
{
    enum class by
    {
        slot,
        client,
        destruction,
    };
    by const how = GENERATE(by::slot, by::client, by::destruction);
    std::string const where = GENERATE("whole answer", "stream", "between deltas", "tool");
    serin::mock::provider server;
    std::atomic<bool> started = false;
    std::atomic<bool> ended = false;
    serin::tool_set tools;
    tools.add("waits", "", any_object,
        [&](std::string_view) -> asio::awaitable<std::string> { return wait_for_ever(started, ended); });
    serin::tool_options options;
    std::function<bool()> there = [&] { return server.request_count() == 1; };
    bool delta = false;
    options.on_delta = [&](serin::chat_delta const&) { delta = true; };
    if (where == "whole answer")
        options.stream = false;
    if (where == "whole answer" || where == "stream")
        server.set_default(behavior().delayed(serin::mock::forever));
    if (where == "between deltas")
    {
        server.set_default(behavior().stall_after(2));
        there = [&] { return delta; };
    }
    if (where == "tool")
    {
        server.set_default(behavior().with_tool_call("waits", "{}").with_tool_call("waits", "{}"));
        there = [&] { return started.load(); };
    }
    CAPTURE(static_cast<int>(how), where);

    run_outcome out;
    asio::io_context context;
    std::optional<serin::client> client;
    client.emplace(context.get_executor(), once(server));
    asio::cancellation_signal stop;
    bool ended_before = true;
    serin::async_run_tools(*client, ask(), tools, options, out.diag,
        asio::bind_cancellation_slot(stop.slot(), [&](serin::error_code ec, serin::tool_run r) {
            ended_before = ended || where != "tool";
            out.handler()(ec, std::move(r));
        }));
    for (int i = 0; i < 60000 && !there(); ++i)
        context.run_one_for(1ms);
    REQUIRE(there());
    REQUIRE_FALSE(out.completed);
    if (how == by::slot)
        stop.emit(GENERATE(
            asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total));
    else if (how == by::client)
        client->cancel();
    else
        client.reset();
    context.run_for(60s);
    REQUIRE(context.stopped());
    REQUIRE(out.completed);
    CHECK(out.ec == asio::error::operation_aborted);
    CHECK(ended_before);
    CHECK(server.request_count() == 1);
    CHECK(out.result.messages.size() == 1);
    if (client)
    {
        // It can be used again.
        server.set_default(behavior().with_text("hi"));
        run_outcome again;
        serin::async_run_tools(*client, ask(), tools, again.handler());
        context.restart();
        context.run_for(60s);
        CHECK(again.completed);
        CHECK_FALSE(again.ec);
    }
}

TEST_CASE("tools: a function that ends the run itself")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tool_call("stop", "{}").with_tool_call("stop", "{}"));
    asio::io_context context;
    std::optional<serin::client> client;
    client.emplace(context.get_executor(), once(server));
    int called = 0;
    serin::tool_set tools;
    tools.add("stop", "", any_object, [&](std::string_view) {
        ++called;
        client.reset();
        return "x";
    });
    run_outcome out;
    serin::async_run_tools(*client, ask(), tools, out.handler());
    context.run_for(60s);
    REQUIRE(context.stopped());
    CHECK(out.ec == asio::error::operation_aborted);
    CHECK(called == 1);
    CHECK(server.request_count() == 1);
}

TEST_CASE("tools: the whole run has a deadline")
{
    std::string const where = GENERATE("tool", "answer");
    serin::mock::provider server;
    server.set_default(
        where == "tool" ? behavior().with_tool_call("waits", "{}") : behavior().delayed(serin::mock::forever));
    std::atomic<bool> started = false;
    std::atomic<bool> ended = false;
    serin::tool_set tools;
    tools.add("waits", "", any_object,
        [&](std::string_view) -> asio::awaitable<std::string> { return wait_for_ever(started, ended); });
    serin::tool_options options;
    options.timeout = 200ms;
    run_outcome const r = run_tools(server, tools, options);
    CHECK(r.ec == errc::deadline_exceeded);
    CHECK(started == ended);
    CHECK(r.result.rounds == 1);
}

TEST_CASE("tools: the time-out of the request is that of each round")
{
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("t", "{}"));
    server.on_next(behavior().delayed(serin::mock::forever));
    serin::tool_set tools;
    tools.add("t", "", any_object, [](std::string_view) { return "x"; });
    auto request = ask();
    request.timeout = 500ms;
    run_outcome const r = run_tools(server, tools, serin::tool_options(), request);
    CHECK(r.ec == errc::deadline_exceeded);
    CHECK(r.result.rounds == 2);
}

TEST_CASE("tools: a context that goes away takes the run with it")
{
    std::string const where = GENERATE("tool", "answer", "stream");
    serin::mock::provider server;
    server.set_default(where == "tool"     ? behavior().with_tool_call("waits", "{}").with_tool_call("waits", "{}")
                       : where == "answer" ? behavior().delayed(serin::mock::forever)
                                           : behavior().stall_after(1));
    std::atomic<bool> started = false;
    std::atomic<bool> ended = false;
    auto const held = std::make_shared<int>(0);
    bool delta = false;
    {
        asio::io_context context;
        serin::client client(context.get_executor(), once(server));
        serin::tool_set tools;
        tools.add("waits", "", any_object,
            [&, held](std::string_view) -> asio::awaitable<std::string> { return wait_for_ever(started, ended); });
        serin::tool_options options;
        options.on_delta = [&, held](serin::chat_delta const&) { delta = true; };
        serin::async_run_tools(
            client, ask(), tools, options, [held](serin::error_code, serin::tool_run) { FAIL("nobody waits"); });
        auto const there = [&] {
            return where == "tool" ? started.load() : where == "stream" ? delta : server.request_count() == 1;
        };
        for (int i = 0; i < 60000 && !there(); ++i)
            context.run_one_for(1ms);
        REQUIRE(there());
    }
    CHECK(ended == started);
    CHECK(held.use_count() == 1);
}

TEST_CASE("tools: every kind of completion token")
{
    // What may stand in a co_await expression: GCC 12.2 destroys aggregates there twice.
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::tool_set>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::tool_options>);
    STATIC_REQUIRE_FALSE(std::is_aggregate_v<serin::tool_run>);
    serin::mock::provider server;
    server.set_default(behavior().with_text("hi"));
    asio::io_context context;
    serin::client client(context.get_executor(), once(server));
    serin::tool_set tools;
    tools.add("t", "", any_object, [](std::string_view) { return "x"; });
    serin::tool_options options;
    auto body = [&]() -> asio::awaitable<void> {
        serin::tool_run a = co_await serin::async_run_tools(client, ask(), tools);
        CHECK(a.response.text() == "hi");
        serin::tool_run b = co_await serin::async_run_tools(client, ask(), tools, options);
        CHECK(b.response.text() == "hi");
        serin::diagnostics diag;
        serin::tool_run c = co_await serin::async_run_tools(client, ask(), tools, diag);
        CHECK(diag.attempts.size() == 1);
        auto [ec, d] =
            co_await serin::async_run_tools(client, ask(), tools, options, diag, asio::as_tuple(asio::deferred));
        CHECK_FALSE(ec);
        CHECK(d.rounds == 1);
        server.set_default(behavior().with_tool_call("t", "{}"));
        options.max_rounds = 2;
        try
        {
            co_await serin::async_run_tools(client, ask(), tools, options);
            FAIL("it must throw");
        }
        catch (serin::api_error const& e)
        {
            CHECK(e.code() == errc::too_many_rounds);
            CHECK(e.diag().partial);
        }
    };
    run(context, body());
    server.set_default(behavior().with_text("hi"));
    auto future = serin::async_run_tools(client, ask(), tools, asio::use_future);
    context.restart();
    context.run_for(60s);
    CHECK(future.get().response.text() == "hi");
}

TEST_CASE("tools: many runs on many threads")
{
    serin::mock::provider server;
    server.set_function([](serin::mock::request_view const& request) {
        if (request.body.find("\"role\":\"tool\"") != std::string_view::npos)
            return behavior().with_text("done");
        return behavior().with_tool_call("later", "{}").with_tool_call("now", "{}").with_tool_call("later", "{}");
    });
    std::atomic<int> called = 0;
    serin::tool_set tools;
    tools.add("now", "", any_object, [&](std::string_view) { return std::to_string(++called); });
    tools.add("later", "", any_object, [&](std::string_view) -> asio::awaitable<std::string> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
        co_await timer.async_wait(asio::use_awaitable);
        ++called;
        co_return "x";
    });
    std::atomic<int> good = 0;
    {
        asio::thread_pool pool(4);
        serin::client client(pool.get_executor(), once(server));
        for (int i = 0; i < 40; ++i)
            serin::async_run_tools(client, ask(), tools, [&](serin::error_code ec, serin::tool_run r) {
                good += !ec && r.messages.size() == 6 && r.response.text() == "done" ? 1 : 0;
            });
        pool.join();
    }
    CHECK(good == 40);
    CHECK(called == 120);
}
