// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Streams: tokens as they come, ends of every kind, and a consumer who takes his time.

#include "catch.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::mock::behavior;

namespace {

// Megabytes of memory that are in use by this process.
std::size_t resident_megabytes()
{
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) >> 20;
}

outcome stream_from(behavior b, std::chrono::milliseconds token_idle = 60s)
{
    serin::mock::provider server;
    server.set_default(std::move(b));
    auto p = params_for(server.base_url());
    p.retry.max_attempts = 1;
    p.timeouts.token_idle = token_idle;
    return stream_once(p, ask());
}

} // namespace

TEST_CASE("tokens arrive one by one and add up")
{
    serin::mock::provider server;
    server.set_default(behavior().with_text("one two three"));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::chat_stream stream = co_await client.async_stream(ask());
        std::vector<std::string> pieces;
        while (auto delta = co_await stream.async_next())
            if (!delta->text.empty())
                pieces.emplace_back(delta->text);
        CHECK(pieces.size() == 3);
        CHECK(stream.response().text() == "one two three");
        CHECK(stream.response().finish_reason() == "stop");
        CHECK(stream.response().usage);
        // The end stays the end.
        auto again = co_await stream.async_next();
        CHECK_FALSE(again);
        CHECK_FALSE(stream.try_next());
    };
    run(context, body());
    CHECK(client.connections().idle == 1);
}

TEST_CASE("a connection is used again after a stream")
{
    serin::mock::provider server;
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 5; ++i)
        {
            serin::chat_stream stream = co_await client.async_stream(ask());
            for (;;)
            {
                auto delta = co_await stream.async_next();
                if (!delta)
                    break;
            }
        }
    };
    run(context, body());
    // A second one if the end of a response came after its [DONE], and the next call did not wait for it.
    CHECK(server.connections_accepted() <= 2);
}

TEST_CASE("reasoning, tool calls and finish reasons come through")
{
    outcome const r =
        stream_from(behavior().with_reasoning(3).with_tool_call("get_weather", R"({"city":"Kiel","unit":"c"})"));
    REQUIRE_FALSE(r.ec);
    CHECK_FALSE(r.response.reasoning().empty());
    REQUIRE(r.response.tool_calls().size() == 1);
    CHECK(r.response.tool_calls()[0].name == "get_weather");
    CHECK(r.response.tool_calls()[0].arguments == R"({"city":"Kiel","unit":"c"})");
    CHECK(r.response.finish_reason() == "tool_calls");
}

TEST_CASE("ends of a stream")
{
    SECTION("cut: truncated, with what had come")
    {
        outcome const r = stream_from(behavior().cut_after(3));
        CHECK(r.ec == errc::stream_truncated);
        CHECK(r.response.text() == "tok1 tok2 tok3");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == "tok1 tok2 tok3");
        CHECK(r.diag.phase == serin::call_phase::stream);
    }
    SECTION("reset: the same")
    {
        CHECK(stream_from(behavior().reset_after(3)).ec == errc::stream_truncated);
    }
    SECTION("no [DONE] but finished: success")
    {
        outcome const r = stream_from(behavior().without_done());
        CHECK_FALSE(r.ec);
        CHECK(r.response.finish_reason() == "stop");
    }
    SECTION("[DONE] without finish reason: success, finish reason empty")
    {
        outcome const r = stream_from(behavior().without_finish_reason());
        CHECK_FALSE(r.ec);
        CHECK(r.response.finish_reason().empty());
    }
    SECTION("neither: truncated")
    {
        CHECK(stream_from(behavior().without_finish_reason().without_done()).ec == errc::stream_truncated);
    }
    SECTION("[DONE] with the socket left open: success at once")
    {
        auto const began = std::chrono::steady_clock::now();
        CHECK_FALSE(stream_from(behavior().left_open()).ec);
        CHECK(std::chrono::steady_clock::now() - began < 5s);
    }
    SECTION("a chunk that is not JSON: an error with the partial")
    {
        outcome const r = stream_from(behavior().malformed_after(2));
        CHECK(r.ec == errc::stream_error);
        CHECK(r.response.text() == "tok1 tok2");
    }
    SECTION("an error event")
    {
        outcome const r =
            stream_from(behavior().error_after(2).with_error("out of steam", "server_error", "server_error"));
        CHECK(r.ec == errc::server_error);
        CHECK(r.diag.message == "out of steam");
        CHECK(r.response.text() == "tok1 tok2");
    }
    SECTION("silence between tokens")
    {
        outcome const r = stream_from(behavior().stall_after(3), 100ms);
        CHECK(r.ec == errc::token_idle_timeout);
        CHECK(r.response.text() == "tok1 tok2 tok3");
    }
    SECTION("cut before the first token: async_stream itself fails")
    {
        outcome const r = stream_from(behavior().cut_after(0));
        CHECK(r.ec == errc::stream_truncated);
    }
    SECTION("one byte at a time, CR LF and chunk boundaries anywhere")
    {
        outcome const r = stream_from(behavior().written_slowly(1));
        CHECK_FALSE(r.ec);
        CHECK(r.response.text() == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    }
    SECTION("delimited by the close of the connection")
    {
        CHECK_FALSE(stream_from(behavior().with_framing(serin::mock::framing::close)).ec);
    }
    SECTION("no token at all")
    {
        outcome const r = stream_from(behavior().with_tokens(0));
        CHECK_FALSE(r.ec);
        CHECK(r.response.text().empty());
        CHECK(r.response.finish_reason() == "stop");
    }
}

TEST_CASE("finished but neither [DONE] nor the end: success within 8 seconds, connection closed")
{
    serin::mock::provider server;
    server.set_default(behavior().without_done().left_open());
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        auto const began = std::chrono::steady_clock::now();
        serin::chat_stream stream = co_await client.async_stream(ask());
        for (;;)
        {
            auto delta = co_await stream.async_next();
            if (!delta)
                break;
        }
        CHECK(std::chrono::steady_clock::now() - began < 9s);
        CHECK(stream.response().finish_reason() == "stop");
    };
    run(context, body());
    CHECK(client.connections().live == 0);
}

TEST_CASE("a server that answers a stream request with a whole completion is understood")
{
    serin::mock::provider server;
    server.set_default(behavior().with_header("Content-Type", "application/json").with_header("X", "y"));
    behavior b;
    b.body =
        R"({"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]})";
    b.headers.emplace_back("Content-Type", "application/json");
    server.set_default(b);
    outcome const r = stream_once(params_for(server.base_url()), ask());
    CHECK_FALSE(r.ec);
    CHECK(r.response.text() == "whole");
}

TEST_CASE("try_next gives what is there without waiting")
{
    serin::mock::provider server;
    behavior b = behavior().with_tokens(50);
    b.batch = 50;
    server.set_default(b);
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    auto body = [&]() -> asio::awaitable<void> {
        serin::chat_stream stream = co_await client.async_stream(ask());
        int tokens = 0;
        int suspended = 0;
        for (;;)
        {
            if (auto delta = stream.try_next())
            {
                tokens += !delta->text.empty();
                continue;
            }
            ++suspended;
            auto delta = co_await stream.async_next();
            if (!delta)
                break;
            tokens += !delta->text.empty();
        }
        CHECK(tokens == 50);
        CHECK(suspended < 10);
    };
    run(context, body());
}

TEST_CASE("async_next never completes inline")
{
    serin::mock::provider server;
    behavior b = behavior().with_tokens(20'000);
    b.batch = 500;
    server.set_default(b);
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    std::size_t tokens = 0;
    std::optional<serin::chat_stream> stream;
    std::function<void()> next = [&] {
        stream->async_next([&](serin::error_code ec, std::optional<serin::chat_delta> d) {
            if (ec || !d)
                return;
            ++tokens;
            next();
        });
    };
    client.async_stream(ask(), [&](serin::error_code ec, serin::chat_stream s) {
        REQUIRE_FALSE(ec);
        stream.emplace(std::move(s));
        next();
    });
    context.run();
    CHECK(tokens >= 20'000);
}

TEST_CASE("a coroutine that finds every piece there lets others have their turn")
{
    serin::mock::provider server;
    behavior b = behavior().with_tokens(2'000);
    b.batch = 500;
    server.set_default(b);
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    int since_turn = 0;
    int longest = 0;
    bool over = false;
    std::function<void()> turn = [&] {
        since_turn = 0;
        if (!over)
            asio::post(context, turn);
    };
    auto body = [&]() -> asio::awaitable<void> {
        serin::chat_stream stream = co_await client.async_stream(ask());
        asio::post(context, turn);
        int tokens = 0;
        for (;;)
        {
            auto delta = co_await stream.async_next();
            if (!delta)
                break;
            tokens += !delta->text.empty();
            longest = std::max(longest, ++since_turn);
        }
        over = true;
        CHECK(tokens == 2'000);
    };
    run(context, body());
    CHECK(longest > 1); // Else this shows nothing
    CHECK(longest <= 64);
}

TEST_CASE("a cancelled stream gives no piece more to a coroutine, though some are there")
{
    serin::mock::provider server;
    behavior b = behavior().with_tokens(200);
    b.batch = 200;
    server.set_default(b);
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    serin::error_code result;
    auto body = [&]() -> asio::awaitable<void> {
        serin::chat_stream stream = co_await client.async_stream(ask());
        auto first = co_await stream.async_next();
        CHECK(first);
        client.cancel();
        try
        {
            auto next = co_await stream.async_next();
            CHECK_FALSE(next);
        }
        catch (serin::api_error const& e)
        {
            result = e.code();
        }
    };
    run(context, body());
    CHECK(result == asio::error::operation_aborted);
}

TEST_CASE("every type of cancellation ends async_next")
{
    auto const type =
        GENERATE(asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal);
    serin::mock::provider server;
    server.set_default(behavior().stall_after(1));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    asio::cancellation_signal signal;
    auto body = [&]() -> asio::awaitable<void> {
        serin::chat_stream stream = co_await client.async_stream(ask());
        auto first = co_await stream.async_next();
        CHECK(first);
        asio::steady_timer timer(context, 30ms);
        timer.async_wait([&](serin::error_code) { signal.emit(type); });
        serin::diagnostics diag;
        auto [ec, next] = co_await stream.async_next(
            diag, asio::bind_cancellation_slot(signal.slot(), asio::as_tuple(asio::use_awaitable)));
        CHECK(ec == asio::error::operation_aborted);
        CHECK(diag.partial);
        // And stays so.
        auto [ec2, next2] = co_await stream.async_next(asio::as_tuple(asio::use_awaitable));
        CHECK(ec2 == asio::error::operation_aborted);
    };
    run(context, body());
    CHECK(client.connections().live == 0);
}

TEST_CASE("destroying a stream ends its connection and its outstanding async_next")
{
    serin::mock::provider server;
    server.set_default(behavior().stall_after(1));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    serin::error_code result;
    std::optional<serin::chat_stream> stream;
    client.async_stream(ask(), [&](serin::error_code, serin::chat_stream s) { stream.emplace(std::move(s)); });
    context.run();
    REQUIRE(stream);
    context.restart();
    SECTION("while nothing is outstanding")
    {
        stream.reset();
    }
    SECTION("while async_next is outstanding")
    {
        stream->async_next([](serin::error_code, std::optional<serin::chat_delta>) {});
        context.run(); // The first token was there already
        context.restart();
        stream->async_next([&](serin::error_code ec, std::optional<serin::chat_delta>) { result = ec; });
        context.run_for(20ms);
        stream.reset();
        context.run_for(10s);
        CHECK(context.stopped());
        CHECK(result == asio::error::operation_aborted);
    }
    CHECK(server.wait_until([&] { return server.connections_open() == 0; }));
    CHECK(client.connections().live == 0);
}

TEST_CASE("a stream outlives its client")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(5).paced(5ms));
    asio::io_context context;
    auto body = [&]() -> asio::awaitable<void> {
        std::optional<serin::client> client(std::in_place, context.get_executor(), params_for(server.base_url()));
        serin::chat_stream stream = co_await client->async_stream(ask());
        client.reset();
        for (;;)
        {
            auto delta = co_await stream.async_next();
            if (!delta)
                break;
        }
        CHECK(stream.response().finish_reason() == "stop");
    };
    run(context, body());
}

TEST_CASE("a thousand streams whose consumers stop reading stay small")
{
    serin::mock::provider server;
    // A quarter of a megabyte each: more, and the kernel runs out of memory for sockets before we do.
    std::string text = "first";
    for (int i = 0; i < 40; ++i)
        text += " " + std::string(6'000, 'x');
    server.set_default(behavior().with_text(text));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    std::size_t const before = resident_megabytes();
    std::vector<serin::chat_stream> streams;
    int failures = 0;
    for (int i = 0; i < 1000; ++i)
    {
        client.async_stream(ask(), [&](serin::error_code ec, serin::chat_stream s) {
            failures += bool(ec);
            streams.push_back(std::move(s));
        });
    }
    context.run(); // Returns though all streams are open: nobody waits for them
    CHECK(failures == 0);
    CHECK(streams.size() == 1000);
    CHECK(client.connections().live == 1000);
    // The mock, which keeps a buffer for each, is in this process too.
    std::size_t const grown = resident_megabytes() - before;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    WARN("not checked under a sanitizer, whose own memory counts too: grown by " << grown << " MB");
#else
    CAPTURE(grown);
    CHECK(grown < 150);
#endif
    streams.clear();
    CHECK(client.connections().live == 0);
}

TEST_CASE("streams on two threads")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(30));
    asio::io_context context(2);
    serin::client client(context.get_executor(), params_for(server.base_url()));
    std::atomic<int> ok{0};
    auto body = [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 10; ++i)
        {
            serin::chat_stream stream = co_await client.async_stream(ask());
            int tokens = 0;
            for (;;)
            {
                auto delta = co_await stream.async_next();
                if (!delta)
                    break;
                tokens += delta->has_token();
            }
            ok += tokens == 30;
        }
    };
    for (int i = 0; i < 16; ++i)
        asio::co_spawn(asio::make_strand(context), body(), asio::detached);
    std::thread other([&] { context.run(); });
    context.run();
    other.join();
    CHECK(ok == 160);
}
