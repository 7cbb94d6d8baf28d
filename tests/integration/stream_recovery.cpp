// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Streams that break after their first token, and what stream_params makes of them.

#include "catch.hpp"
#include "silent_listener.hpp"
#include "tries.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::give_up;
using serin::stream_recovery;
using serin::mock::behavior;

namespace {

constexpr auto soon = 500ms;

// How a stream breaks.
struct breakage
{
    char const* name;
    std::function<behavior()> make;
    errc cause;
};

behavior old_answer()
{
    return behavior().with_text("the old answer is longer");
}

// Each after "the old".
std::vector<breakage> const breakages = {
    {"cut", [] { return old_answer().cut_after(2); }, errc::stream_truncated},
    {"reset", [] { return old_answer().reset_after(2); }, errc::stream_truncated},
    {"silence", [] { return old_answer().stall_after(2); }, errc::token_idle_timeout},
    {"an error event",
        [] { return old_answer().error_after(2).with_error("out of steam", "server_error", "server_error"); },
        errc::server_error},
    {"an error event that says to slow down",
        [] { return old_answer().error_after(2).with_error("slow down", "", "rate_limit_exceeded"); },
        errc::rate_limited},
    {"a malformed chunk", [] { return old_answer().malformed_after(2); }, errc::stream_error},
    {"an end without finish reason",
        [] {
            behavior b = behavior().with_text("the old").without_finish_reason().without_done();
            return b;
        },
        errc::stream_truncated},
};

serin::client_params recovering(stream_recovery how, std::vector<std::string> const& urls)
{
    auto p = upstreams_at(urls);
    p.stream.recovery = how;
    p.timeouts.token_idle = soon;
    return p;
}

behavior new_answer()
{
    return behavior().with_text("a new one");
}

// The bytes of a stream with these events.
std::string event_stream(std::vector<std::string> const& events)
{
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    for (std::string const& e : events)
        bytes += "data: " + e + "\n\n";
    return bytes;
}

std::string chunk(int index, std::string const& text, std::string const& finish = "null")
{
    return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":)" +
           std::to_string(index) + R"(,"delta":{"content":")" + text + R"("},"finish_reason":)" + finish + "}]}";
}

} // namespace

// ---- fail

TEST_CASE("stream recovery: a broken stream fails with what had come")
{
    for (breakage const& how : breakages)
    {
        serin::mock::provider first;
        serin::mock::provider second;
        first.set_default(how.make());
        quick_session s(recovering(stream_recovery::fail, {first.base_url(), second.base_url()}));
        stream_outcome const r = s.stream();
        CAPTURE(how.name, trail(r.diag));
        CHECK(r.opened);
        CHECK(r.ec == how.cause);
        CHECK(r.text() == "the old");
        CHECK(r.response.text() == "the old");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == "the old");
        CHECK(r.diag.gave_up == give_up::token_seen);
        CHECK(r.restarts() == 0);
        CHECK(asked(r.diag) == "a");
        REQUIRE(r.diag.attempts.size() == 1);
        CHECK(r.diag.attempts[0].error == how.cause);
        CHECK(second.request_count() == 0);
    }
}

// ---- restart

TEST_CASE("stream recovery: a broken stream is begun anew")
{
    for (breakage const& how : breakages)
        for (bool const two : {false, true})
        {
            serin::mock::provider first;
            serin::mock::provider second;
            first.on_next(how.make());
            first.set_default(new_answer());
            second.set_default(new_answer());
            std::vector<std::string> urls = {first.base_url()};
            if (two)
                urls.push_back(second.base_url());
            quick_session s(recovering(stream_recovery::restart, urls));
            stream_outcome const r = s.stream();
            CAPTURE(how.name, two, trail(r.diag), r.diag.message);
            CHECK_FALSE(r.ec);
            // The user has seen the old one, then that it is void.
            CHECK(r.restarts() == 1);
            REQUIRE(r.deltas.size() >= 4);
            CHECK(r.deltas[0].text + r.deltas[1].text == "the old");
            CHECK_FALSE(r.deltas[0].restarted);
            CHECK_FALSE(r.deltas[1].restarted);
            CHECK(r.deltas[2].restarted);
            CHECK(r.deltas[2].text == "a");
            CHECK(r.text() == "a new one");
            CHECK(r.response.text() == "a new one");
            CHECK(r.response.finish_reason() == "stop");
            CHECK(r.response.upstream == (two ? "b" : "a"));
            CHECK(asked(r.diag) == (two ? "ab" : "aa"));
            REQUIRE(r.diag.attempts.size() == 2);
            CHECK(r.diag.attempts[0].error == how.cause);
            CHECK(r.diag.attempts[0].status == 200);
            CHECK_FALSE(r.diag.attempts[1].error);
            CHECK_FALSE(r.diag.partial);
            CHECK(r.diag.gave_up == give_up::none);
            // With another upstream at once, else after a while.
            CHECK(s.clock->waits().size() == (two ? 0 : 1));
            if (two)
                CHECK(r.diag.attempts[1].waited == 0ms);
        }
}

TEST_CASE("stream recovery: it takes real time to begin anew")
{
    serin::mock::provider server;
    server.on_next(old_answer().stall_after(2));
    auto p = recovering(stream_recovery::restart, {server.base_url()});
    quick_session s(p);
    s.stream();
    REQUIRE(s.clock->waits().size() == 1);
    auto const planned = s.clock->waits()[0];
    REQUIRE(planned >= 10ms); // Else another seed is to be chosen
    // The same random numbers, on the real clock.
    server.on_next(old_answer().stall_after(2));
    outcome const r = stream_once(p, ask());
    CHECK_FALSE(r.ec);
    REQUIRE(r.diag.attempts.size() == 2);
    CHECK(r.diag.attempts[1].waited >= planned);
}

TEST_CASE("stream recovery: begun anew again and again")
{
    serin::mock::provider server;
    quick_session s(recovering(stream_recovery::restart, {server.base_url()}));
    SECTION("until it is well")
    {
        server.on_next(old_answer().cut_after(3));
        server.on_next(behavior().with_status(503));
        server.on_next(old_answer().cut_after(0));
        server.on_next(old_answer().cut_after(1));
        server.set_default(new_answer());
        stream_outcome const r = s.stream();
        CAPTURE(trail(r.diag));
        CHECK_FALSE(r.ec);
        CHECK(r.restarts() == 2); // The user never heard of those without a token
        CHECK(r.text() == "a new one");
        CHECK(r.response.text() == "a new one");
        CHECK(asked(r.diag) == "aaaaa");
    }
    SECTION("until there are no attempts left: the last answer is the partial one")
    {
        for (std::size_t tokens = 1; tokens <= 4; ++tokens)
            server.on_next(old_answer().cut_after(tokens));
        server.set_default(behavior().with_text("last words were these").cut_after(2));
        stream_outcome const r = s.stream();
        CAPTURE(trail(r.diag));
        CHECK(r.ec == errc::stream_truncated);
        CHECK(r.restarts() == 4);
        CHECK(r.text() == "last words");
        CHECK(r.response.text() == "last words");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == "last words");
        CHECK(r.diag.gave_up == give_up::attempts);
        CHECK(asked(r.diag) == "aaaaa");
    }
    SECTION("without a token from those that came later: the partial one is what the user saw")
    {
        server.on_next(old_answer().cut_after(2));
        server.set_default(behavior().with_status(503).with_error("busy", "", ""));
        stream_outcome const r = s.stream();
        CAPTURE(trail(r.diag));
        CHECK(r.ec == errc::overloaded); // The last attempt's
        CHECK(r.diag.status == 503);
        CHECK(r.diag.message == "busy");
        CHECK(r.restarts() == 0);
        CHECK(r.text() == "the old");
        CHECK(r.response.text() == "the old");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == "the old");
        CHECK(r.diag.gave_up == give_up::attempts);
        CHECK(asked(r.diag) == "aaaaa");
    }
}

TEST_CASE("stream recovery: what cannot be helped is not begun anew")
{
    serin::mock::provider server;
    auto p = recovering(stream_recovery::restart, {server.base_url()});
    errc cause = errc::stream_truncated;
    give_up why = give_up::not_retryable;
    SECTION("the error says that it is final")
    {
        server.set_default(old_answer().error_after(2).with_error("no", "", "content_filter"));
        cause = errc::content_filtered;
    }
    SECTION("one attempt only")
    {
        server.set_default(old_answer().cut_after(2));
        p.retry.max_attempts = 1;
        why = give_up::attempts;
    }
    SECTION("no budget")
    {
        server.set_default(old_answer().cut_after(2));
        p.retry.budget_ratio = 0;
        p.retry.budget_per_second = 0;
        why = give_up::budget;
    }
    quick_session s(p);
    stream_outcome const r = s.stream();
    CHECK(r.ec == cause);
    CHECK(r.diag.gave_up == why);
    CHECK(r.text() == "the old");
    CHECK(r.response.text() == "the old");
    REQUIRE(r.diag.partial);
    CHECK(r.diag.partial->text() == "the old");
    CHECK(asked(r.diag) == "a");
}

TEST_CASE("stream recovery: tool calls of the old answer are gone")
{
    serin::mock::provider server;
    server.on_next(behavior().with_tool_call("old_tool", R"({"value":"quite a long argument"})").cut_after(2));
    server.set_default(behavior().with_tool_call("new_tool", R"({"value":1})"));
    quick_session s(recovering(stream_recovery::restart, {server.base_url()}));
    stream_outcome const r = s.stream();
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(r.restarts() == 1);
    REQUIRE(r.response.tool_calls().size() == 1);
    CHECK(r.response.tool_calls()[0].name == "new_tool");
    CHECK(r.response.tool_calls()[0].arguments == R"({"value":1})");
}

TEST_CASE("stream recovery: the new answer need not be a stream, nor long")
{
    serin::mock::provider server;
    server.on_next(old_answer().cut_after(2));
    quick_session s(recovering(stream_recovery::restart, {server.base_url()}));
    SECTION("whole")
    {
        behavior whole;
        whole.body = R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,)"
                     R"("message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]})";
        server.set_default(whole);
        stream_outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        CHECK(r.restarts() == 1);
        CHECK(r.text() == "whole");
        CHECK(r.response.text() == "whole");
    }
    SECTION("empty: the user still learns that the old one is void")
    {
        server.set_default(behavior().with_tokens(0));
        stream_outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        CHECK(r.response.text().empty());
        CHECK(r.restarts() == 1);
        CHECK(r.text().empty());
    }
}

TEST_CASE("stream recovery: restarts reach a user who polls")
{
    serin::mock::provider server;
    behavior broken = old_answer().cut_after(3);
    broken.batch = 10;
    server.on_next(broken);
    behavior whole = new_answer();
    whole.batch = 10;
    server.set_default(whole);
    quick_session s(recovering(stream_recovery::restart, {server.base_url()}));
    std::string text;
    int restarts = 0;
    auto body = [](serin::client& client, std::string& sum, int& count) -> asio::awaitable<void> {
        serin::chat_stream stream = co_await client.async_stream(ask());
        for (;;)
        {
            auto delta = stream.try_next();
            if (!delta)
                delta = co_await stream.async_next();
            if (!delta)
                break;
            if (delta->restarted)
            {
                ++count;
                sum.clear();
            }
            sum += delta->text;
        }
        CHECK(stream.response().text() == sum);
    };
    run(s.context, body(s.client, text, restarts));
    CHECK(restarts == 1);
    CHECK(text == "a new one");
}

namespace {

// A stream that has broken and waits until it may be begun anew.
class waiting_stream
{
public:
    waiting_stream()
    {
        server.on_next(old_answer().error_after(2).with_error("slow down", "", "rate_limit_exceeded"));
        server.set_default(behavior().with_status(429).with_retry_after("50"));
        auto p = recovering(stream_recovery::restart, {server.base_url()});
        p.retry.base_delay = 0s; // The first time
        p.log = [this](serin::log_level, std::string_view line) {
            // Runs after the handler that logs this, which begins the wait.
            if (line.find("failed: next a in 50") != std::string_view::npos)
                asio::post(*context, [this] { context->stop(); });
        };
        client.emplace(context->get_executor(), p);
        client->async_stream(ask(), [this](serin::error_code, serin::chat_stream opened) {
            stream.emplace(std::move(opened));
            next();
        });
        auto const began = std::chrono::steady_clock::now();
        context->run_for(10s);
        REQUIRE(std::chrono::steady_clock::now() - began < 9s);
        REQUIRE_FALSE(ec);
        REQUIRE(text == "the old");
    }

    void next()
    {
        stream->async_next(diag, asio::bind_cancellation_slot(signal.slot(),
                                     [this](serin::error_code e, std::optional<serin::chat_delta> delta) {
                                         if (e || !delta)
                                         {
                                             ec = e;
                                             return;
                                         }
                                         text += delta->text;
                                         next();
                                     }));
    }

    // Whether nothing is left to do at once.
    bool ends()
    {
        auto const began = std::chrono::steady_clock::now();
        context->restart();
        context->run_for(20s);
        return context->stopped() && std::chrono::steady_clock::now() - began < 10s;
    }

    serin::mock::provider server;
    std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();
    std::optional<serin::client> client;
    std::optional<serin::chat_stream> stream;
    asio::cancellation_signal signal;
    serin::diagnostics diag;
    std::optional<serin::error_code> ec;
    std::string text;
};

} // namespace

TEST_CASE("stream recovery: ended while it waits to be begun anew")
{
    waiting_stream w;
    SECTION("cancelled by its slot")
    {
        w.signal.emit(GENERATE(
            asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal));
    }
    SECTION("cancelled by the client")
    {
        w.client->cancel();
    }
    SECTION("the stream is destroyed")
    {
        w.stream.reset();
    }
    CHECK(w.ends());
    REQUIRE(w.ec);
    CHECK(*w.ec == asio::error::operation_aborted);
    REQUIRE(w.diag.partial);
    CHECK(w.diag.partial->text() == "the old");
    if (w.stream)
        CHECK(w.stream->response().text() == "the old");
    CHECK(asked(w.diag) == "aa");
    CHECK(w.server.request_count() == 2);
}

TEST_CASE("stream recovery: a stream that waits to be begun anew outlives its client")
{
    waiting_stream w;
    w.client.reset();
    w.context->restart();
    w.context->run_for(50ms);
    CHECK_FALSE(w.ec);
    w.signal.emit(asio::cancellation_type::terminal);
    CHECK(w.ends());
    REQUIRE(w.ec);
    CHECK(*w.ec == asio::error::operation_aborted);
}

TEST_CASE("stream recovery: a stream is begun anew though its client is gone")
{
    serin::mock::provider first;
    first.on_next(old_answer().cut_after(2));
    first.set_default(new_answer());
    auto p = recovering(stream_recovery::restart, {first.base_url()});
    p.timeouts.token_idle = 60s;
    std::optional<silent_listener> silent;
    std::string expected;
    std::string when;
    SECTION("while it waits")
    {
        expected = "aa";
        when = "next a in";
    }
    SECTION("while it connects, which then fails")
    {
        silent.emplace();
        p = recovering(
            stream_recovery::restart, {first.base_url(), "http://127.0.0.1:" + std::to_string(silent->port()) + "/v1"});
        p.timeouts.connect = 300ms;
        expected = "aba";
        when = "next b in";
    }
    asio::io_context context;
    p.log = [&](serin::log_level, std::string_view line) {
        if (line.find(when) != std::string_view::npos)
            asio::post(context, [&] { context.stop(); });
    };
    std::optional<serin::client> client(std::in_place, context.get_executor(), p);
    std::optional<serin::chat_stream> stream;
    stream_outcome r;
    std::function<void()> next = [&] {
        stream->async_next(r.diag, [&](serin::error_code ec, std::optional<serin::chat_delta> d) {
            r.ec = ec;
            if (ec || !d)
                return;
            seen_delta seen;
            seen.text = d->text;
            seen.restarted = d->restarted;
            r.deltas.push_back(seen);
            next();
        });
    };
    client->async_stream(ask(), [&](serin::error_code, serin::chat_stream opened) {
        stream.emplace(std::move(opened));
        next();
    });
    context.run_for(10s);
    REQUIRE(r.deltas.size() == 2);
    client.reset();
    context.restart();
    context.run_for(20s);
    CHECK(context.stopped());
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(r.text() == "a new one");
    CHECK(asked(r.diag) == expected);
    if (silent)
        CHECK(r.diag.attempts.at(1).error == errc::connect_timeout);
}

TEST_CASE("stream recovery: the context ends while a stream waits to be begun anew")
{
    waiting_stream w;
    SECTION("the client went before the stream")
    {
        w.client.reset();
        w.stream.reset();
    }
    SECTION("after it")
    {
        w.stream.reset();
        w.client.reset();
    }
    w.context.reset();
    CHECK_FALSE(w.ec);
}

// ---- buffer

TEST_CASE("stream recovery: a buffered stream is tried again unseen")
{
    for (breakage const& how : breakages)
        for (bool const two : {false, true})
        {
            serin::mock::provider first;
            serin::mock::provider second;
            first.on_next(how.make());
            first.set_default(new_answer());
            second.set_default(new_answer());
            std::vector<std::string> urls = {first.base_url()};
            if (two)
                urls.push_back(second.base_url());
            quick_session s(recovering(stream_recovery::buffer, urls));
            stream_outcome const r = s.stream();
            CAPTURE(how.name, two, trail(r.diag), r.diag.message);
            CHECK_FALSE(r.ec);
            REQUIRE(r.deltas.size() == 1);
            CHECK(r.deltas[0].text == "a new one");
            CHECK_FALSE(r.deltas[0].restarted);
            CHECK(r.response.text() == "a new one");
            CHECK(r.response.finish_reason() == "stop");
            CHECK(r.response.upstream == (two ? "b" : "a"));
            CHECK(asked(r.diag) == (two ? "ab" : "aa"));
            CHECK(r.diag.attempts[0].error == how.cause);
        }
}

TEST_CASE("stream recovery: a buffered stream that never gets whole")
{
    serin::mock::provider server;
    server.set_default(old_answer().cut_after(2));
    quick_session s(recovering(stream_recovery::buffer, {server.base_url()}));
    stream_outcome const r = s.stream();
    CHECK_FALSE(r.opened);
    CHECK(r.ec == errc::stream_truncated);
    CHECK(asked(r.diag) == "aaaaa");
    CHECK(r.diag.gave_up == give_up::attempts);
    REQUIRE(r.diag.partial);
    CHECK(r.diag.partial->text() == "the old");
}

TEST_CASE("stream recovery: nothing of a buffered stream is handed out before its end")
{
    serin::mock::provider server;
    server.set_default(old_answer().stall_after(2));
    auto p = recovering(stream_recovery::buffer, {server.base_url()});
    p.timeouts.token_idle = 60s;
    quick_session s(p);
    bool opened = false;
    s.client.async_stream(ask(), [&](serin::error_code ec, serin::chat_stream) { opened = !ec; });
    auto const sent = [&] {
        auto const log = server.requests();
        return log.empty() ? 0 : log[0].tokens_sent;
    };
    while (sent() < 2)
        s.context.run_one_for(10ms);
    while (s.context.run_one_for(50ms) != 0)
    {
    }
    CHECK_FALSE(opened);
    s.client.cancel();
    s.finish();
    CHECK_FALSE(opened);
}

TEST_CASE("stream recovery: a buffered stream comes as one delta a choice")
{
    serin::mock::provider server;
    quick_session s(recovering(stream_recovery::buffer, {server.base_url()}));
    SECTION("two choices that take turns")
    {
        server.set_default(
            behavior().with_raw(event_stream({chunk(0, "one "), chunk(1, "uno "), chunk(1, "due"), chunk(0, "two"),
                                    chunk(0, "", R"("stop")"), chunk(1, "", R"("length")"), "[DONE]"}),
                serin::mock::after_answer::close));
        stream_outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        REQUIRE(r.deltas.size() == 2);
        CHECK(r.deltas[0].index == 0);
        CHECK(r.deltas[0].text == "one two");
        CHECK(r.deltas[1].index == 1);
        CHECK(r.deltas[1].text == "uno due");
        REQUIRE(r.response.choices.size() == 2);
        CHECK(r.response.choices[1].finish_reason == "length");
    }
    SECTION("tool calls")
    {
        server.set_default(behavior().with_tool_call("f", R"({"a":1})").with_tool_call("g", R"({"b":2})"));
        stream_outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        CHECK(r.deltas.size() == 1);
        REQUIRE(r.response.tool_calls().size() == 2);
        CHECK(r.response.tool_calls()[0].arguments == R"({"a":1})");
        CHECK(r.response.tool_calls()[1].name == "g");
        CHECK(r.response.finish_reason() == "tool_calls");
    }
    SECTION("nothing at all")
    {
        server.set_default(behavior().with_tokens(0));
        stream_outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        CHECK(r.response.text().empty());
        CHECK(r.response.finish_reason() == "stop");
    }
    SECTION("usage is kept, and the connection is used again")
    {
        stream_outcome const r = s.stream();
        CHECK(r.response.usage);
        s.stream();
        s.stream();
        CHECK(server.connections_accepted() <= 2); // The end may come later than [DONE]
    }
}

// ---- skip_malformed_chunks

TEST_CASE("stream recovery: malformed chunks are passed over if that is wanted")
{
    bool const skip = GENERATE(false, true);
    serin::mock::provider server;
    auto p = recovering(stream_recovery::fail, {server.base_url()});
    p.retry.max_attempts = 1;
    p.stream.skip_malformed_chunks = skip;
    int warnings = 0;
    p.log = [&](serin::log_level level, std::string_view line) {
        warnings += level == serin::log_level::warning && line.find("malformed") != std::string_view::npos;
    };
    quick_session s(p);
    SECTION("one in the middle")
    {
        server.set_default(old_answer().malformed_after(2));
        stream_outcome const r = s.stream();
        CHECK(r.ec == (skip ? serin::error_code() : make_error_code(errc::stream_error)));
        CHECK(r.response.text() == (skip ? "the old answer is longer" : "the old"));
        CHECK(warnings == skip);
    }
    SECTION("the first one")
    {
        server.set_default(old_answer().malformed_after(0));
        stream_outcome const r = s.stream();
        CHECK(r.ec == (skip ? serin::error_code() : make_error_code(errc::stream_error)));
        CHECK(r.opened == skip);
        CHECK(warnings == skip);
    }
    SECTION("several, of all kinds")
    {
        server.set_default(behavior().with_raw(event_stream({chunk(0, "a"), "{", chunk(0, "b"), "17", "no JSON",
                                                   R"({"choices":7})", chunk(0, "c", R"("stop")"), "[DONE]"}),
            serin::mock::after_answer::close));
        stream_outcome const r = s.stream();
        CHECK(r.ec == (skip ? serin::error_code() : make_error_code(errc::stream_error)));
        CHECK(r.response.text() == (skip ? "abc" : "a"));
        if (skip)
            CHECK(warnings >= 3);
    }
    SECTION("nothing else: still no success")
    {
        server.set_default(behavior().with_raw(event_stream({"{", "no JSON"}), serin::mock::after_answer::close));
        stream_outcome const r = s.stream();
        CHECK(r.ec == (skip ? errc::stream_truncated : errc::stream_error));
    }
    SECTION("an error event is none")
    {
        server.set_default(old_answer().error_after(2).with_error("out of steam", "server_error", "server_error"));
        stream_outcome const r = s.stream();
        CHECK(r.ec == errc::server_error);
        CHECK(warnings == 0);
    }
}
