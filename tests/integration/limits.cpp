// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Limits on what an upstream is asked: its own configured ones, and those that it names in its answers.

#include "catch.hpp"
#include "tries.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
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
using serin::when_limited;
using serin::mock::behavior;
using serin::mock::forever;

namespace {

serin::client_params limited(std::vector<std::string> const& urls, serin::rate_limit_params const& limits)
{
    auto p = upstreams_at(urls);
    p.upstreams[0].limits = limits;
    p.retry.max_attempts = urls.size() > 1 ? 5 : 1;
    return p;
}

serin::rate_limit_params requests(double per_minute, when_limited how)
{
    serin::rate_limit_params limits;
    limits.requests_per_minute = per_minute;
    limits.on_limit = how;
    return limits;
}

serin::rate_limit_params tokens(double per_minute, when_limited how)
{
    serin::rate_limit_params limits;
    limits.tokens_per_minute = per_minute;
    limits.on_limit = how;
    return limits;
}

serin::rate_limit_params at_once(std::size_t count, when_limited how = when_limited::wait)
{
    serin::rate_limit_params limits;
    limits.max_concurrent = count;
    limits.on_limit = how;
    return limits;
}

// A call that was refused without asking anybody.
void check_refused(outcome const& r, serin::duration least, serin::duration most)
{
    CHECK(r.ec == errc::rate_limited);
    CHECK(r.diag.status == 0);
    CHECK(r.diag.phase == serin::call_phase::limit);
    CHECK_FALSE(r.diag.message.empty());
    REQUIRE(r.diag.retry_after);
    CHECK(*r.diag.retry_after >= least);
    CHECK(*r.diag.retry_after <= most);
}

// Chats all at once, and waits for them.
std::vector<outcome> chat_at_once(quick_session& s, std::size_t count, serin::chat_request const& request = ask())
{
    std::vector<outcome> results(count);
    for (outcome& result : results)
        s.client.async_chat(request, result.diag, [&result](serin::error_code ec, serin::chat_response response) {
            result.ec = ec;
            result.response = std::move(response);
        });
    s.finish();
    return results;
}

// How many requests were being answered at the same time, at most.
std::size_t most_at_once(serin::mock::provider const& server)
{
    auto const log = server.requests();
    std::size_t most = 0;
    for (auto const& a : log)
    {
        std::size_t together = 0;
        for (auto const& b : log)
            together += b.received <= a.received && (!b.answered || *b.answered > a.received);
        most = std::max(most, together);
    }
    return most;
}

} // namespace

// ---- Requests per minute

TEST_CASE("limits: requests go no faster than they may")
{
    serin::mock::provider server;
    // 20 a second, and a second's worth at the start.
    quick_session s(limited({server.base_url()}, requests(1200, when_limited::wait)));
    auto const results = chat_at_once(s, 30);
    for (outcome const& r : results)
        CHECK_FALSE(r.ec);
    auto const log = server.requests();
    REQUIRE(log.size() == 30);
    CHECK(log[19].received - log[0].received < log[29].received - log[0].received);
    CHECK(log[29].received - log[0].received >= 450ms);
    // The time is called waiting, not answering.
    auto const last = std::max_element(results.begin(), results.end(),
        [](outcome const& a, outcome const& b) { return a.diag.attempts.at(0).waited < b.diag.attempts.at(0).waited; });
    CHECK(last->diag.attempts[0].waited >= 450ms);
    CHECK(last->diag.attempts[0].duration < last->diag.attempts[0].waited);
}

TEST_CASE("limits: whoever does not want to wait is refused and told when")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    quick_session s(limited({server.base_url()}, requests(2, when_limited::fail)));
    CHECK_FALSE(s.call(streamed).ec);
    check_refused(s.call(streamed), 25s, 30s);
    CHECK(server.request_count() == 1);
    s.clock->jump(29s);
    check_refused(s.call(streamed), 1ms, 1s);
    s.clock->jump(1s);
    CHECK_FALSE(s.call(streamed).ec);
    CHECK(server.request_count() == 2);
}

TEST_CASE("limits: who does not want to wait does not wait for the retry either")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    auto p = limited({server.base_url()}, requests(2, when_limited::fail));
    p.retry.max_attempts = 5;
    quick_session s(p);
    CHECK_FALSE(s.call(streamed).ec);
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    check_refused(r, 25s, 30s);
    CHECK(s.clock->waits().empty());
    CHECK(asked(r.diag) == "a");
}

TEST_CASE("limits: another upstream is asked at once")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    SECTION("when the first one's limit is not to be waited for")
    {
        quick_session s(limited({first.base_url(), second.base_url()}, requests(2, when_limited::fail)));
        CHECK(s.call(streamed).response.upstream == "a");
        outcome const r = s.call(streamed);
        CAPTURE(trail(r.diag));
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "b");
        CHECK(r.diag.attempts[0].waited == 0ms);
        CHECK(s.clock->waits().empty());
    }
    SECTION("when it would have to be waited for")
    {
        auto p = limited({first.base_url(), second.base_url()}, requests(2, when_limited::wait));
        quick_session s(p);
        CHECK(s.call(streamed).response.upstream == "a");
        auto const began = std::chrono::steady_clock::now();
        outcome const r = s.call(streamed);
        CHECK(std::chrono::steady_clock::now() - began < 10s);
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "b");
    }
    CHECK(first.request_count() == 1);
    CHECK(second.request_count() == 1);
}

TEST_CASE("limits: a wait that would outlast the call is not begun")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    auto p = limited({server.base_url()}, requests(2, when_limited::wait));
    p.timeouts.total = 20s;
    quick_session s(p);
    CHECK_FALSE(s.call(streamed).ec);
    auto const began = std::chrono::steady_clock::now();
    check_refused(s.call(streamed), 25s, 30s);
    CHECK(std::chrono::steady_clock::now() - began < 10s);
    CHECK(server.request_count() == 1);
}

TEST_CASE("limits: attempts that are repeated count")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    server.on_next(behavior().with_status(503));
    auto p = limited({server.base_url()}, requests(60, when_limited::fail));
    p.retry.max_attempts = 2;
    p.retry.base_delay = 0s;
    quick_session s(p);
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK(r.ec == errc::rate_limited);
    CHECK(server.request_count() == 1);
}

// ---- Tokens per minute

TEST_CASE("limits: tokens are charged as estimated and settled as used")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    // A thousand a second. The answer may have most of it, and has eight tokens.
    quick_session s(limited({server.base_url()}, tokens(60'000, when_limited::fail)));
    serin::chat_request large = ask();
    large.max_tokens = 800;
    SECTION("known: the next one may go")
    {
        server.set_default(behavior());
        for (int i = 0; i < 5; ++i)
            CHECK_FALSE(s.call(streamed, large).ec);
    }
    SECTION("not known: it counts as estimated")
    {
        behavior silent;
        silent.usage = false;
        server.set_default(silent);
        CHECK_FALSE(s.call(streamed, large).ec);
        check_refused(s.call(streamed, large), 100ms, 1s);
        s.clock->jump(1s);
        CHECK_FALSE(s.call(streamed, large).ec);
    }
    SECTION("more than a second's worth: the next one waits until it is paid for")
    {
        behavior silent;
        silent.usage = false;
        server.set_default(silent);
        large.max_tokens = 3'000;
        CHECK_FALSE(s.call(streamed, large).ec);
        check_refused(s.call(streamed, large), 2s, 4s);
        s.clock->jump(4s);
        CHECK_FALSE(s.call(streamed, large).ec);
    }
    SECTION("while it is not known yet")
    {
        server.set_default(behavior().delayed(forever));
        s.client.async_chat(large, [](serin::error_code, serin::chat_response) {});
        while (server.request_count() == 0)
            s.context.run_one_for(10ms);
        std::optional<serin::error_code> refused;
        s.client.async_chat(large, [&](serin::error_code ec, serin::chat_response) {
            refused = ec;
            s.client.cancel();
        });
        s.finish();
        REQUIRE(refused);
        CHECK(*refused == errc::rate_limited);
        CHECK(server.request_count() == 1);
    }
}

TEST_CASE("limits: who waits for tokens goes when they come")
{
    serin::mock::provider server;
    behavior silent;
    silent.usage = false;
    server.set_default(silent);
    quick_session s(limited({server.base_url()}, tokens(60'000, when_limited::wait)));
    serin::chat_request half = ask();
    half.max_tokens = 500;
    auto const results = chat_at_once(s, 3, half);
    for (outcome const& r : results)
        CHECK_FALSE(r.ec);
    auto const log = server.requests();
    REQUIRE(log.size() == 3);
    // The estimate counts the prompt too: one or two go at once.
    CHECK(log[2].received - log[0].received >= 300ms);
}

// ---- At the same time

TEST_CASE("limits: no more at the same time than may be")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(15ms));
    quick_session s(limited({server.base_url()}, at_once(3)));
    for (outcome const& r : chat_at_once(s, 20))
        CHECK_FALSE(r.ec);
    CHECK(server.request_count() == 20);
    CHECK(most_at_once(server) == 3);
    CHECK(server.max_connections_open() == 3);
}

TEST_CASE("limits: a failed attempt makes room while its call waits to try again")
{
    serin::mock::provider server;
    server.on_next(behavior().with_status(503));
    auto p = limited({server.base_url()}, at_once(1));
    p.retry.max_attempts = 2;
    quick_session s(p);
    for (outcome const& r : chat_at_once(s, 5))
        CHECK_FALSE(r.ec);
    CHECK(server.request_count() == 6);
    CHECK(most_at_once(server) == 1);
}

TEST_CASE("limits: who finds no room and does not want to wait")
{
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_default(behavior().delayed(forever));
    quick_session s(limited({first.base_url(), second.base_url()}, at_once(1, when_limited::fail)));
    s.client.async_chat(ask(), [](serin::error_code, serin::chat_response) {});
    while (first.request_count() == 0)
        s.context.run_one_for(10ms);
    outcome r;
    s.client.async_chat(ask(), r.diag, [&](serin::error_code ec, serin::chat_response) {
        r.ec = ec;
        s.client.cancel();
    });
    s.finish();
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "b");
    CHECK(first.request_count() == 1);
}

TEST_CASE("limits: a stream counts until it ends")
{
    serin::mock::provider server;
    quick_session s(limited({server.base_url()}, at_once(1)));
    std::optional<serin::chat_stream> stream;
    std::optional<serin::error_code> second;

    server.on_next(behavior().with_tokens(3));
    s.client.async_stream(ask(), [&](serin::error_code ec, serin::chat_stream opened) {
        REQUIRE_FALSE(ec);
        stream.emplace(std::move(opened));
    });
    s.finish(); // Returns: nobody waits for the stream
    REQUIRE(stream);
    REQUIRE(server.request_count() == 1);
    // All of it is there, but the user has not taken it.
    CHECK(server.wait_until([&] { return server.requests()[0].answered.has_value(); }));

    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) { second = ec; });
    s.context.restart();
    s.context.run_for(50ms);
    CHECK_FALSE(second);
    CHECK(server.request_count() == 1);
    SECTION("is read to the end")
    {
        std::function<void()> next = [&] {
            stream->async_next([&](serin::error_code ec, std::optional<serin::chat_delta> d) {
                if (!ec && d)
                {
                    CHECK_FALSE(second);
                    next();
                }
            });
        };
        next();
        s.finish();
    }
    SECTION("is destroyed")
    {
        stream.reset();
        s.finish();
    }
    REQUIRE(second);
    CHECK_FALSE(*second);
    CHECK(server.request_count() == 2);
}

TEST_CASE("limits: a waiter who is cancelled leaves his place to the next")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    server.on_next(behavior().delayed(forever));
    quick_session s(limited({server.base_url()}, at_once(1)));
    asio::cancellation_signal stop_first;
    asio::cancellation_signal stop_second;
    std::vector<std::string> order;
    serin::diagnostics diag;
    s.client.async_chat(
        ask(), asio::bind_cancellation_slot(stop_first.slot(), [&](serin::error_code ec, serin::chat_response) {
            order.push_back("first " + std::string(serin::kind_name(ec)));
        }));
    while (server.request_count() == 0)
        s.context.run_one_for(10ms);
    auto const note = [&](serin::error_code ec, auto&&) {
        order.push_back("second " + std::string(serin::kind_name(ec)));
        stop_first.emit(asio::cancellation_type::terminal);
    };
    if (streamed)
        s.client.async_stream(ask(), diag, asio::bind_cancellation_slot(stop_second.slot(), note));
    else
        s.client.async_chat(ask(), diag, asio::bind_cancellation_slot(stop_second.slot(), note));
    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) {
        order.push_back("third " + std::string(serin::kind_name(ec)));
    });
    s.context.run_for(20ms);
    CHECK(order.empty());
    stop_second.emit(
        GENERATE(asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal));
    s.finish();
    REQUIRE(order.size() == 3);
    CHECK(order[0] == "second cancelled");
    CHECK(order[1] == "first cancelled");
    CHECK(order[2] == "third ");
    CHECK(diag.phase == serin::call_phase::limit);
    REQUIRE(diag.attempts.size() == 1);
    CHECK(diag.attempts[0].error == asio::error::operation_aborted);
    CHECK(diag.attempts[0].status == 0);
    CHECK(server.request_count() == 2);
}

TEST_CASE("limits: what ends while calls wait for their turn")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(forever));
    auto context = std::make_unique<asio::io_context>();
    std::optional<serin::client> client(
        std::in_place, context->get_executor(), limited({server.base_url()}, at_once(1)));
    int ended = 0;
    for (int i = 0; i < 5; ++i)
        client->async_chat(ask(), [&](serin::error_code ec, serin::chat_response) {
            CHECK(ec == asio::error::operation_aborted);
            ++ended;
        });
    while (server.request_count() == 0)
        context->run_one_for(10ms);
    SECTION("the client")
    {
        client.reset();
        context->run_for(20s);
        CHECK(context->stopped());
        CHECK(ended == 5);
    }
    SECTION("all calls")
    {
        client->cancel();
        context->run_for(20s);
        CHECK(context->stopped());
        CHECK(ended == 5);
    }
    SECTION("the context")
    {
        client.reset(); // It must go first; what it cancels does not run any more
        context.reset();
        CHECK(ended == 0);
    }
}

TEST_CASE("limits: the deadline of a call that waits for its turn")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    server.set_default(behavior().delayed(forever));
    quick_session s(limited({server.base_url()}, at_once(1)));
    s.client.async_chat(ask(), [](serin::error_code, serin::chat_response) {});
    while (server.request_count() == 0)
        s.context.run_one_for(10ms);
    outcome r;
    serin::chat_request request = ask();
    request.timeout = 200ms;
    auto const note = [&](serin::error_code ec, auto&&) {
        r.ec = ec;
        s.client.cancel();
    };
    if (streamed)
        s.client.async_stream(request, r.diag, note);
    else
        s.client.async_chat(request, r.diag, note);
    s.finish();
    // Whichever notices it first.
    CHECK((r.ec == errc::deadline_exceeded || r.ec == errc::rate_limited));
    CHECK(r.diag.phase == serin::call_phase::limit);
    CHECK(server.request_count() == 1);
}

TEST_CASE("limits: many calls on two threads")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(3).delayed(2ms));
    server.set_faults({serin::mock::fault_share(0.1, behavior().with_status(503))}, 7);
    auto p = limited({server.base_url()}, at_once(4));
    p.retry.max_attempts = 10;
    p.retry.base_delay = 2ms;
    p.retry.budget_per_second = 1'000;
    asio::io_context context(2);
    serin::client client(context.get_executor(), p);
    std::atomic<int> good{0};
    auto stream = [](serin::client& c, std::atomic<int>& ok) -> asio::awaitable<void> {
        stream_outcome r;
        co_await read_stream(c, ask(), r);
        ok += !r.ec && r.response.text() == "tok1 tok2 tok3";
    };
    for (int i = 0; i < 100; ++i)
    {
        asio::co_spawn(context, stream(client, good), asio::detached);
        client.async_chat(
            ask(), [&](serin::error_code ec, serin::chat_response r) { good += !ec && r.text() == "tok1 tok2 tok3"; });
    }
    std::thread other([&] { context.run_for(60s); });
    context.run_for(60s);
    other.join();
    CHECK(context.stopped());
    CHECK(good == 200);
    CHECK(server.max_connections_open() <= 5); // One may be closing while the next is made
    CHECK(most_at_once(server) <= 4);
}

// ---- What the server says

TEST_CASE("limits: the server says that nothing remains")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    server.on_next(behavior()
                       .with_header("x-ratelimit-limit-requests", "60000")
                       .with_header("x-ratelimit-remaining-requests", "0")
                       .with_header("x-ratelimit-reset-requests", "400ms"));
    SECTION("the next one waits")
    {
        quick_session s(limited({server.base_url()}, requests(60'000, when_limited::wait)));
        CHECK_FALSE(s.call(streamed).ec);
        outcome const r = s.call(streamed);
        CHECK_FALSE(r.ec);
        REQUIRE(r.diag.attempts.size() == 1);
        CHECK(r.diag.attempts[0].waited >= 200ms); // Some of it has passed
        auto const log = server.requests();
        REQUIRE(log.size() == 2);
        CHECK(log[1].received - log[0].received >= 400ms);
    }
    SECTION("or is refused")
    {
        quick_session s(limited({server.base_url()}, requests(60'000, when_limited::fail)));
        CHECK_FALSE(s.call(streamed).ec);
        check_refused(s.call(streamed), 1ms, 400ms);
        s.clock->jump(1s);
        CHECK_FALSE(s.call(streamed).ec);
    }
}

TEST_CASE("limits: a 429 with Retry-After holds up the next calls too")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    server.on_next(behavior().with_status(429).with_retry_after("30"));
    quick_session s(limited({server.base_url()}, requests(60'000, when_limited::fail)));
    outcome const refused = s.call(streamed);
    CHECK(refused.ec == errc::rate_limited);
    CHECK(refused.diag.status == 429);
    CHECK(refused.diag.retry_after == 30s);
    check_refused(s.call(streamed), 20s, 30s);
    CHECK(server.request_count() == 1);
    s.clock->jump(30s);
    CHECK_FALSE(s.call(streamed).ec);
}
