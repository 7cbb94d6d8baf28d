// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A second upstream is asked while the first one takes its time: who wins, and what becomes of the other.

#include "catch.hpp"
#include "tries.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::give_up;
using serin::mock::behavior;
using serin::mock::forever;

namespace {

// Two providers, of which the second is asked after a while.
class pair
{
public:
    pair()
    {
        first.set_default(behavior().with_text("from the first"));
        second.set_default(behavior().with_text("from the second"));
    }

    serin::client_params params(serin::duration delay = 20ms) const
    {
        auto p = upstreams_at({first.base_url(), second.base_url()});
        p.hedge.delay = delay;
        return p;
    }

    serin::mock::provider first;
    serin::mock::provider second;
};

behavior slowly(std::chrono::milliseconds delay, behavior b)
{
    b.first_byte_delay = delay;
    return b;
}

bool was_left_early(serin::mock::provider& server)
{
    return server.wait_until([&] {
        auto const log = server.requests();
        return !log.empty() && log.back().client_closed_early && server.connections_open() == 0;
    });
}

} // namespace

TEST_CASE("hedging: the second upstream answers for a slow first one")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    SECTION("that sends nothing")
    {
        servers.first.set_default(behavior().delayed(forever));
    }
    SECTION("that sends a head and no more")
    {
        servers.first.set_default(behavior().paced(0ms, forever));
    }
    quick_session s(servers.params());
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag), r.diag.message);
    CHECK_FALSE(r.ec);
    CHECK(r.response.text() == "from the second");
    CHECK(r.response.upstream == "b");
    CHECK(r.diag.upstream == "b");
    CHECK(asked(r.diag) == "ab");
    REQUIRE(r.diag.attempts.size() == 2);
    CHECK(r.diag.attempts[0].error == asio::error::operation_aborted);
    CHECK_FALSE(r.diag.attempts[1].error);
    CHECK(r.diag.attempts[1].waited == 0ms);
    CHECK(s.clock->waits().empty());
    // The loser is told.
    CHECK(was_left_early(servers.first));
    CHECK(s.client.connections().live == 1);

    // The client is as good as before.
    servers.first.set_default(behavior().with_text("fast again"));
    CHECK(s.call(streamed).response.text() == "fast again");
}

TEST_CASE("hedging: nobody is asked beside")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    auto p = servers.params();
    servers.first.set_default(slowly(200ms, behavior()));
    SECTION("by default")
    {
        p.hedge = {};
    }
    SECTION("when the first one is fast enough")
    {
        p.hedge.delay = 30s;
    }
    SECTION("without a budget")
    {
        p.retry.budget_ratio = 0;
        p.retry.budget_per_second = 0;
    }
    SECTION("beyond the number of attempts")
    {
        p.retry.max_attempts = 1;
    }
    SECTION("who has no share")
    {
        p.upstreams[1].weight = 0;
    }
    SECTION("where there is nobody else")
    {
        p.upstreams.pop_back();
    }
    quick_session s(p);
    outcome const r = s.call(streamed);
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "a");
    CHECK(servers.second.request_count() == 0);
}

TEST_CASE("hedging: the first one wins after all")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    servers.first.set_default(slowly(300ms, behavior().with_text("from the first")));
    servers.second.set_default(behavior().delayed(forever));
    quick_session s(servers.params());
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(r.response.text() == "from the first");
    CHECK(asked(r.diag) == "ab");
    CHECK_FALSE(r.diag.attempts[0].error);
    CHECK(r.diag.attempts[1].error == asio::error::operation_aborted);
    CHECK(was_left_early(servers.second));
}

TEST_CASE("hedging: one fails while the other runs")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    std::string winner;
    errc failure = errc::server_error;
    SECTION("the first")
    {
        servers.first.set_default(slowly(100ms, behavior().with_status(500)));
        servers.second.set_default(slowly(400ms, behavior()));
        winner = "b";
    }
    SECTION("the first, for a reason that would be final")
    {
        servers.first.set_default(slowly(100ms, behavior().with_status(400)));
        servers.second.set_default(slowly(400ms, behavior()));
        winner = "b";
        failure = errc::invalid_request;
    }
    SECTION("the hedge")
    {
        servers.first.set_default(slowly(400ms, behavior()));
        servers.second.set_default(behavior().with_status(500));
        winner = "a";
    }
    SECTION("the hedge, by closing the connection")
    {
        servers.first.set_default(slowly(400ms, behavior()));
        servers.second.set_default(behavior().close_before_head());
        winner = "a";
        failure = errc::connection_lost;
    }
    quick_session s(servers.params());
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag), r.diag.message);
    CHECK_FALSE(r.ec);
    CHECK(r.response.upstream == winner);
    CHECK(asked(r.diag) == "ab");
    REQUIRE(r.diag.attempts.size() == 2);
    for (serin::attempt const& a : r.diag.attempts)
        CHECK(a.error == (a.upstream == winner ? serin::error_code() : make_error_code(failure)));
    CHECK(servers.first.request_count() == 1);
    CHECK(servers.second.request_count() == 1);
}

TEST_CASE("hedging: when both fail the call goes on by its rules")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    SECTION("trying again")
    {
        servers.first.on_next(slowly(150ms, behavior().with_status(500)));
        servers.second.on_next(behavior().with_status(503));
        quick_session s(servers.params());
        outcome const r = s.call(streamed);
        CAPTURE(trail(r.diag));
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "aba");
        REQUIRE(r.diag.attempts.size() == 3);
        CHECK(r.diag.attempts[0].error == errc::server_error);
        CHECK(r.diag.attempts[1].error == errc::overloaded);
        CHECK(s.clock->waits().size() == 1);
    }
    SECTION("until there are no attempts left")
    {
        servers.first.set_default(slowly(100ms, behavior().with_status(500)));
        servers.second.set_default(slowly(100ms, behavior().with_status(503)));
        quick_session s(servers.params());
        outcome const r = s.call(streamed);
        CAPTURE(trail(r.diag));
        CHECK(r.ec);
        CHECK(r.diag.attempts.size() == 5);
        CHECK(r.diag.gave_up == give_up::attempts);
        CHECK(servers.first.request_count() + servers.second.request_count() == 5);
    }
    SECTION("for good, if the last failure is final")
    {
        servers.first.set_default(slowly(150ms, behavior().with_status(400).with_error("bad", "", "")));
        servers.second.set_default(behavior().with_status(503));
        quick_session s(servers.params());
        outcome const r = s.call(streamed);
        CAPTURE(trail(r.diag));
        CHECK(r.ec == errc::invalid_request);
        CHECK(r.diag.message == "bad");
        CHECK(asked(r.diag) == "ab");
        CHECK(r.diag.gave_up == give_up::not_retryable);
    }
}

TEST_CASE("hedging: the head start does not shorten the wait after a failure")
{
    // On the real clock.
    bool const streamed = GENERATE(false, true);
    pair servers;
    for (auto* server : {&servers.first, &servers.second})
        server->on_next(behavior().with_status(429).with_header("retry-after-ms", "600"));
    auto const p = servers.params(100ms);
    outcome const r = streamed ? stream_once(p, ask()) : chat_once(p, ask());
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "aba");
    REQUIRE(r.diag.attempts.size() == 3);
    CHECK(r.diag.attempts[1].waited == 0ms);
    CHECK(r.diag.attempts[2].waited >= 500ms); // The first one has rested a while already
}

TEST_CASE("hedging: no hedge goes to an upstream whose limits have no room for it")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    servers.first.set_default(slowly(200ms, behavior()));
    auto p = servers.params();
    p.upstreams[1].limits.requests_per_minute = 1;
    p.upstreams[1].limits.on_limit = serin::when_limited::fail;
    quick_session s(p);
    // Uses up what b may be asked.
    servers.first.on_next(behavior().with_status(500));
    CHECK(s.call(streamed).response.upstream == "b");
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "a");
    CHECK(servers.second.request_count() == 1);
}

TEST_CASE("hedging: one hedge at a time")
{
    serin::mock::provider servers[3];
    std::vector<std::string> urls;
    for (auto& server : servers)
    {
        server.set_default(behavior().delayed(forever));
        urls.push_back(server.base_url());
    }
    auto p = upstreams_at(urls);
    p.hedge.delay = 10ms;
    p.timeouts.total = 400ms;
    quick_session s(p);
    outcome const r = s.chat();
    CHECK(r.ec == errc::deadline_exceeded);
    CHECK(r.diag.attempts.size() == 2);
}

// ---- Streams

TEST_CASE("hedging: the first token wins, and its stream is read to the end")
{
    pair servers;
    std::string winner;
    SECTION("the hedge's")
    {
        servers.first.set_default(behavior().paced(forever, forever));
        servers.second.set_default(behavior().with_tokens(100).paced(2ms));
        winner = "b";
    }
    SECTION("the first one's")
    {
        servers.first.set_default(behavior().with_tokens(100).paced(2ms, 200ms));
        servers.second.set_default(behavior().paced(forever, forever));
        winner = "a";
    }
    SECTION("both send, and the slower one is left")
    {
        servers.first.set_default(behavior().with_tokens(1'000).paced(1ms, 30s));
        servers.second.set_default(behavior().with_tokens(100).paced(1ms, 50ms));
        winner = "b";
    }
    quick_session s(servers.params());
    stream_outcome const r = s.stream();
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(r.response.upstream == winner);
    CHECK(r.deltas.size() >= 100);
    CHECK(r.response.text().ends_with("tok100"));
    CHECK(asked(r.diag) == "ab");
    CHECK(was_left_early(winner == "a" ? servers.second : servers.first));
}

TEST_CASE("hedging: a stream that has won keeps its deadlines and can be cancelled")
{
    pair servers;
    servers.first.set_default(behavior().delayed(forever));
    servers.second.set_default(behavior().with_text("one two three four").stall_after(2));
    auto p = servers.params();
    SECTION("between tokens")
    {
        p.timeouts.token_idle = 300ms;
        quick_session s(p);
        stream_outcome const r = s.stream();
        CHECK(r.ec == errc::token_idle_timeout);
        CHECK(r.text() == "one two");
        CHECK(s.client.connections().live == 0);
    }
    SECTION("in all")
    {
        p.timeouts.total = 400ms;
        quick_session s(p);
        stream_outcome const r = s.stream();
        CHECK(r.ec == errc::deadline_exceeded);
        CHECK(r.text() == "one two");
    }
    SECTION("cancelled")
    {
        quick_session s(p);
        serin::error_code result;
        std::optional<serin::chat_stream> stream;
        int tokens = 0;
        std::function<void()> next = [&] {
            stream->async_next([&](serin::error_code ec, std::optional<serin::chat_delta> d) {
                result = ec;
                if (ec || !d)
                    return;
                next();
                if (++tokens == 2)
                    s.client.cancel();
            });
        };
        s.client.async_stream(ask(), [&](serin::error_code, serin::chat_stream opened) {
            stream.emplace(std::move(opened));
            next();
        });
        s.finish();
        CHECK(result == asio::error::operation_aborted);
        CHECK(tokens == 2);
        CHECK(s.client.connections().live == 0);
    }
}

TEST_CASE("hedging: a stream that is begun anew outlives its client during the race")
{
    pair servers;
    servers.first.set_default(behavior().with_text("the old answer").cut_after(2));
    servers.second.set_default(slowly(300ms, behavior().with_text("a new one")));
    auto p = servers.params(50ms);
    p.stream.recovery = serin::stream_recovery::restart;
    asio::io_context context;
    std::optional<serin::client> client(std::in_place, context.get_executor(), p);
    stream_outcome r;
    std::optional<serin::chat_stream> stream;
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
    while (servers.second.request_count() == 0)
        context.run_one_for(10ms);
    client.reset();
    context.run_for(20s);
    CAPTURE(trail(r.diag), serin::kind_name(r.ec));
    CHECK_FALSE(r.ec);
    CHECK(r.text() == "a new one");
}

// ---- The delay that the answers themselves tell

TEST_CASE("hedging: after what 95 of 100 answers took less than")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    auto p = servers.params(0s);
    p.hedge.at_p95 = true;
    quick_session s(p);
    // Not known yet, and no delay instead.
    servers.first.on_next(slowly(200ms, behavior()));
    CHECK(asked(s.call(streamed).diag) == "a");
    for (int i = 0; i < 19; ++i)
    {
        outcome const r = s.call(streamed);
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "a");
    }
    // 20 are known, one of them slow.
    for (int i = 0; i < 30; ++i)
        CHECK_FALSE(s.call(streamed).ec);
    servers.first.set_default(behavior().delayed(forever));
    outcome const r = s.call(streamed);
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "ab");
    CHECK(r.response.upstream == "b");
}

// ---- Ends during a race

namespace {

// A call whose two attempts run.
class race
{
public:
    explicit race(bool stream, bool thread_safe = true)
    {
        servers.first.set_default(behavior().delayed(forever));
        servers.second.set_default(behavior().delayed(forever));
        auto p = servers.params();
        p.thread_safe = thread_safe;
        client.emplace(context->get_executor(), p);
        auto const handler = [this](serin::error_code e, auto&&) { ec = e; };
        if (stream)
            client->async_stream(ask(), diag, asio::bind_cancellation_slot(signal.slot(), handler));
        else
            client->async_chat(ask(), diag, asio::bind_cancellation_slot(signal.slot(), handler));
        while (servers.second.request_count() == 0)
            context->run_one_for(10ms);
    }

    // Whether nothing is left to do at once.
    bool ends()
    {
        auto const began = std::chrono::steady_clock::now();
        context->restart();
        context->run_for(20s);
        return context->stopped() && std::chrono::steady_clock::now() - began < 10s;
    }

    pair servers;
    std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();
    std::optional<serin::client> client;
    asio::cancellation_signal signal;
    serin::diagnostics diag;
    std::optional<serin::error_code> ec;
};

} // namespace

TEST_CASE("hedging: cancelled during a race")
{
    bool const streamed = GENERATE(false, true);
    race r(streamed, GENERATE(false, true));
    SECTION("by its slot")
    {
        r.signal.emit(GENERATE(
            asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal));
    }
    SECTION("by the client")
    {
        r.client->cancel();
    }
    SECTION("by the end of the client")
    {
        r.client.reset();
    }
    CHECK(r.ends());
    REQUIRE(r.ec);
    CHECK(*r.ec == asio::error::operation_aborted);
    REQUIRE(r.diag.attempts.size() == 2);
    CHECK(r.diag.attempts[0].error == asio::error::operation_aborted);
    CHECK(r.diag.attempts[1].error == asio::error::operation_aborted);
    CHECK(was_left_early(r.servers.first));
    CHECK(was_left_early(r.servers.second));
    if (r.client)
        CHECK(r.client->connections().live == 0);
}

TEST_CASE("hedging: the deadline of the call during a race")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    servers.first.set_default(behavior().delayed(forever));
    servers.second.set_default(behavior().delayed(forever));
    auto p = servers.params();
    p.timeouts.total = 300ms;
    quick_session s(p);
    outcome const r = s.call(streamed);
    CHECK(r.ec == errc::deadline_exceeded);
    REQUIRE(r.diag.attempts.size() == 2);
    CHECK(r.diag.attempts[0].error == errc::deadline_exceeded);
    CHECK(r.diag.attempts[1].error == errc::deadline_exceeded);
    CHECK(r.diag.phase == serin::call_phase::head);
    CHECK(s.client.connections().live == 0);
}

TEST_CASE("hedging: a deadline of each attempt during a race")
{
    bool const streamed = GENERATE(false, true);
    pair servers;
    servers.first.on_next(behavior().delayed(forever));
    servers.second.on_next(behavior().delayed(forever));
    auto p = servers.params();
    p.timeouts.first_byte = p.timeouts.first_byte_failover = 300ms;
    quick_session s(p);
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "aba");
    CHECK(r.diag.attempts[0].error == errc::first_byte_timeout);
    CHECK(r.diag.attempts[1].error == errc::first_byte_timeout);
}

TEST_CASE("hedging: the context ends during a race")
{
    race r(GENERATE(false, true), GENERATE(false, true));
    r.client.reset(); // It must go first; what it cancels does not run any more
    r.context.reset();
    CHECK_FALSE(r.ec);
    CHECK(was_left_early(r.servers.first));
    CHECK(was_left_early(r.servers.second));
}

TEST_CASE("hedging: the context ends with a client in a coroutine of its own during a race")
{
    pair servers;
    servers.first.set_default(behavior().delayed(forever));
    servers.second.set_default(behavior().delayed(forever));
    auto context = std::make_unique<asio::io_context>();
    auto body = [](asio::io_context& ctx, serin::client_params p, bool streamed) -> asio::awaitable<void> {
        serin::client client(ctx.get_executor(), std::move(p));
        stream_outcome r;
        if (streamed)
            co_await read_stream(client, ask(), r);
        else
            co_await client.async_chat(ask(), asio::use_awaitable);
    };
    asio::co_spawn(*context, body(*context, servers.params(), GENERATE(false, true)), asio::detached);
    while (servers.second.request_count() == 0)
        context->run_one_for(10ms);
    context.reset();
    CHECK(was_left_early(servers.first));
    CHECK(was_left_early(servers.second));
}

TEST_CASE("hedging: a race can be ended after any number of handlers")
{
    bool const streamed = GENERATE(false, true);
    enum class ending
    {
        destroy_client,
        destroy_context,
        cancel,
    };
    auto const how = GENERATE(ending::destroy_client, ending::destroy_context, ending::cancel);
    pair servers;
    servers.first.set_default(slowly(8ms, behavior().with_status(500)));
    servers.second.set_default(slowly(8ms, behavior().with_tokens(2)));
    auto p = servers.params(2ms);
    p.retry.base_delay = 1ms;
    bool over = false;
    int steps = 0;
    for (; !over && steps < 2'000; ++steps)
    {
        auto context = std::make_unique<asio::io_context>();
        std::optional<serin::client> client(std::in_place, context->get_executor(), p);
        std::optional<serin::chat_stream> stream;
        bool ended = false;
        std::function<void()> next = [&] {
            stream->async_next([&](serin::error_code ec, std::optional<serin::chat_delta> d) {
                if (ec || !d)
                    ended = true;
                else
                    next();
            });
        };
        if (streamed)
            client->async_stream(ask(), [&](serin::error_code ec, serin::chat_stream opened) {
                stream.emplace(std::move(opened));
                if (ec)
                    ended = true;
                else
                    next();
            });
        else
            client->async_chat(ask(), [&](serin::error_code, serin::chat_response) { ended = true; });
        for (int done = 0; done < steps && !ended; ++done)
            if (context->run_one_for(2s) == 0)
                break;
        over = ended;
        if (how == ending::destroy_client)
            client.reset();
        else if (how == ending::cancel)
            client->cancel();
        if (how != ending::destroy_context)
        {
            context->restart();
            context->run_for(20s);
            CHECK(context->stopped());
            CHECK(ended);
        }
        stream.reset();
        client.reset();
        context.reset();
    }
    CAPTURE(steps);
    CHECK(over);
    CHECK(steps > 10);
}

// ---- Many

TEST_CASE("hedging: a hundred races at once on two threads")
{
    pair servers;
    for (auto* server : {&servers.first, &servers.second})
    {
        auto const count = std::make_shared<std::atomic<unsigned>>(0);
        server->set_function([count](serin::mock::request_view const&) {
            unsigned const n = ++*count;
            behavior b = behavior().with_tokens(5);
            if (n % 7 == 0)
                b.with_status(503);
            return slowly(std::chrono::milliseconds(n * 13 % 40), b);
        });
    }
    auto p = servers.params(10ms);
    p.retry.base_delay = 5ms;
    p.retry.max_attempts = 20;
    p.retry.budget_per_second = 1'000;
    asio::io_context context(2);
    serin::client client(context.get_executor(), p);
    constexpr int calls = 100;
    std::atomic<int> good{0};
    std::atomic<int> hedged{0};
    std::atomic<int> ended{0};
    auto stream = [](serin::client& c, std::atomic<int>& ok, std::atomic<int>& beside,
                      std::atomic<int>& over) -> asio::awaitable<void> {
        stream_outcome r;
        co_await read_stream(c, ask(), r);
        ok += !r.ec && r.response.text() == "tok1 tok2 tok3 tok4 tok5";
        beside += r.diag.attempts.size() > 1;
        ++over;
    };
    std::vector<std::unique_ptr<serin::diagnostics>> diags;
    for (int i = 0; i < calls; ++i)
    {
        if (i % 2 == 0)
        {
            asio::co_spawn(context, stream(client, good, hedged, ended), asio::detached);
            continue;
        }
        auto& diag = *diags.emplace_back(std::make_unique<serin::diagnostics>());
        client.async_chat(ask(), diag, [&](serin::error_code ec, serin::chat_response r) {
            good += !ec && r.text() == "tok1 tok2 tok3 tok4 tok5";
            hedged += diag.attempts.size() > 1;
            ++ended;
        });
    }
    std::thread other([&] { context.run_for(60s); });
    context.run_for(60s);
    other.join();
    CHECK(context.stopped());
    CHECK(ended == calls);
    CHECK(good == calls);
    CHECK(hedged > 0);
    CHECK(client.connections().live == client.connections().idle);
}
