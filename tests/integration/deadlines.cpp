// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Every deadline of timeout_params, each with an error of its own.

#include "answers.hpp"
#include "catch.hpp"
#include "raw_server.hpp"
#include "run.hpp"
#include "silent_listener.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::call_phase;
using serin::errc;
using serin::mock::behavior;

namespace {

constexpr std::size_t mib = 1024 * 1024;
constexpr auto soon = 100ms;

// All deadlines but those that a test sets are off.
serin::client_params no_deadlines(std::string base_url)
{
    auto p = params_for(std::move(base_url));
    auto& t = p.timeouts;
    t.pool = t.connect = t.tls = t.write = t.first_byte = t.first_byte_failover = t.first_token = t.idle =
        t.token_idle = 0s;
    t.total = 30s;
    return p;
}

// Remembers when it was made.
class stopwatch
{
public:
    // Whether a deadline of `d` may have ended it.
    bool fits(serin::duration d) const
    {
        auto const took = std::chrono::steady_clock::now() - began_;
        return took >= d && took < d + 10s;
    }

private:
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

// Does the one or the other call, which must end after `soon`.
outcome call_once(bool stream, serin::client_params const& p, serin::chat_request const& request = ask())
{
    stopwatch const watch;
    outcome r = stream ? stream_once(p, request) : chat_once(p, request);
    CHECK(watch.fits(soon));
    return r;
}

} // namespace

TEST_CASE("deadline: waiting for a connection")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(serin::mock::forever));
    auto p = no_deadlines(server.base_url());
    p.pool.max_per_host = 1;
    p.timeouts.pool = soon;
    session s(p);
    s.client.async_chat(ask(), [](serin::error_code, serin::chat_response) {});
    serin::error_code result;
    stopwatch const watch;
    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) {
        result = ec;
        s.client.cancel();
    });
    s.run();
    CHECK(result == errc::pool_timeout);
    CHECK(watch.fits(soon));
}

TEST_CASE("deadline: connecting")
{
    bool const stream = GENERATE(false, true);
    silent_listener const silent;
    auto p = no_deadlines("http://127.0.0.1:" + std::to_string(silent.port()) + "/v1");
    p.timeouts.connect = soon;
    outcome const r = call_once(stream, p);
    CHECK(r.ec == errc::connect_timeout);
    CHECK(r.diag.phase == call_phase::connect);
}

TEST_CASE("deadline: the TLS handshake")
{
    bool const stream = GENERATE(false, true);
    raw_server server([](raw_server::peer& p) { p.wait_for_close(); });
    auto p = no_deadlines("https://127.0.0.1:" + std::to_string(server.port()) + "/v1");
    p.timeouts.tls = soon;
    p.timeouts.connect = 1ns + soon / 2; // Is over by then
    outcome const r = call_once(stream, p);
    CHECK(r.ec == errc::tls_timeout);
    CHECK(r.diag.phase == call_phase::tls);
}

TEST_CASE("deadline: a server that takes no more of the request")
{
    bool const stream = GENERATE(false, true);
    serin::mock::provider_params mp;
    mp.receive_buffer = 16 * 1024;
    serin::mock::provider server(mp);
    server.set_default(behavior().never_reading());
    auto p = no_deadlines(server.base_url());
    p.timeouts.write = soon;
    outcome const r = call_once(stream, p, ask_at_length(20 * mib));
    CHECK(r.ec == errc::write_timeout);
    CHECK(r.diag.phase == call_phase::write);
}

TEST_CASE("deadline: a server that takes the request slowly does not stall")
{
    serin::mock::provider_params mp;
    mp.receive_buffer = 16 * 1024;
    serin::mock::provider server(mp);
    behavior b;
    b.read_interval = 1ms;
    b.read_size = 32 * 1024;
    server.on_next(b);
    auto p = no_deadlines(server.base_url());
    p.timeouts.write = 2s;
    CHECK_FALSE(chat_once(p, ask_at_length(6 * mib)).ec);
}

TEST_CASE("deadline: the first byte of the answer")
{
    bool const stream = GENERATE(false, true);
    serin::mock::provider server;
    server.set_default(behavior().delayed(serin::mock::forever));
    auto p = no_deadlines(server.base_url());
    SECTION("of a single upstream")
    {
        p.timeouts.first_byte = soon;
    }
    SECTION("where another could answer")
    {
        p.upstreams.push_back(p.upstreams[0]);
        p.upstreams[1].name = "other";
        p.timeouts.first_byte = 20s;
        p.timeouts.first_byte_failover = soon;
    }
    p.retry.max_attempts = 1;
    outcome const r = call_once(stream, p);
    CHECK(r.ec == errc::first_byte_timeout);
    CHECK(r.diag.phase == call_phase::head);
}

TEST_CASE("deadline: the first token of a stream, which neither a role nor comments are")
{
    serin::mock::provider server;
    behavior b;
    b.first_token_delay = serin::mock::forever;
    b.comment_interval = 10ms;
    b.role_chunk = GENERATE(true, false);
    server.set_default(b);
    auto p = no_deadlines(server.base_url());
    p.timeouts.first_token = soon;
    p.timeouts.first_byte = p.timeouts.idle = p.timeouts.token_idle = 20s;
    outcome const r = call_once(true, p);
    CHECK(r.ec == errc::first_token_timeout);
    CHECK(r.diag.phase == call_phase::stream);
}

TEST_CASE("deadline: bytes within a whole answer")
{
    std::string const answer = http_answer("x");
    std::size_t const sent = GENERATE_COPY(std::size_t{1}, std::size_t{20}, answer.size() - 1);
    raw_server server([&](raw_server::peer& p) {
        if (p.read_request())
            p.write(answer.substr(0, sent));
        p.wait_for_close();
    });
    auto p = no_deadlines(server.base_url());
    p.timeouts.idle = soon;
    outcome const r = call_once(false, p);
    CHECK(r.ec == errc::idle_timeout);
    CHECK(r.diag.phase == (sent > 20 ? call_phase::body : call_phase::head));
}

TEST_CASE("deadline: slow but steady bytes keep an answer alive")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(20).written_slowly(40, 20ms));
    auto p = no_deadlines(server.base_url());
    p.timeouts.idle = 2s;
    CHECK_FALSE(chat_once(p, ask()).ec);
    CHECK_FALSE(stream_once(p, ask()).ec);
}

TEST_CASE("deadline: bytes within a stream")
{
    serin::mock::provider server;
    server.set_default(behavior().paced(serin::mock::forever));
    auto p = no_deadlines(server.base_url());
    p.timeouts.idle = soon;
    outcome const r = call_once(true, p);
    CHECK(r.ec == errc::idle_timeout);
    CHECK(r.response.text() == "tok1");
}

TEST_CASE("deadline: comments are bytes but no tokens")
{
    serin::mock::provider server;
    behavior b = behavior().paced(serin::mock::forever);
    b.comment_interval = 10ms;
    server.set_default(b);
    auto p = no_deadlines(server.base_url());
    SECTION("tokens")
    {
        p.timeouts.token_idle = soon;
        p.timeouts.idle = 20s;
        outcome const r = call_once(true, p);
        CHECK(r.ec == errc::token_idle_timeout);
        CHECK(r.response.text() == "tok1");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == "tok1");
    }
    SECTION("bytes")
    {
        p.timeouts.idle = 5s;
        p.timeouts.total = soon;
        CHECK(call_once(true, p).ec == errc::deadline_exceeded);
    }
}

TEST_CASE("deadline: a stream's own do not run while nobody waits")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(5).paced(1ms));
    auto p = no_deadlines(server.base_url());
    p.timeouts.token_idle = p.timeouts.idle = p.timeouts.first_token = 2s;
    asio::io_context context;
    serin::client client(context.get_executor(), p);
    int tokens = 0;
    auto body = [](asio::io_context& c, serin::client& cl, int& count) -> asio::awaitable<void> {
        serin::chat_stream stream = co_await cl.async_stream(ask());
        asio::steady_timer timer(c, 2500ms); // The user thinks
        co_await timer.async_wait(asio::use_awaitable);
        for (;;)
        {
            auto const delta = co_await stream.async_next();
            if (!delta)
                break;
            count += !delta->text.empty();
        }
    };
    run(context, body(context, client, tokens));
    CHECK(tokens == 5);
}

TEST_CASE("deadline: the call as a whole, wherever it is")
{
    bool const stream = GENERATE(false, true);
    std::optional<serin::mock::provider> mock;
    std::optional<silent_listener> silent;
    std::optional<raw_server> raw;
    serin::client_params p;
    serin::chat_request request = ask();
    SECTION("connecting")
    {
        silent.emplace();
        p = no_deadlines("http://127.0.0.1:" + std::to_string(silent->port()) + "/v1");
    }
    SECTION("in the TLS handshake")
    {
        raw.emplace([](raw_server::peer& q) { q.wait_for_close(); });
        p = no_deadlines("https://127.0.0.1:" + std::to_string(raw->port()) + "/v1");
    }
    SECTION("writing")
    {
        serin::mock::provider_params mp;
        mp.receive_buffer = 16 * 1024;
        mock.emplace(mp);
        mock->set_default(behavior().never_reading());
        p = no_deadlines(mock->base_url());
        request = ask_at_length(20 * mib);
    }
    SECTION("waiting for the first byte")
    {
        mock.emplace();
        mock->set_default(behavior().delayed(serin::mock::forever));
        p = no_deadlines(mock->base_url());
    }
    SECTION("reading")
    {
        raw.emplace([](raw_server::peer& q) {
            if (q.read_request())
                q.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {");
            q.wait_for_close();
        });
        p = no_deadlines(raw->base_url());
    }
    SECTION("and the request's own comes before the client's")
    {
        mock.emplace();
        mock->set_default(behavior().delayed(serin::mock::forever));
        p = no_deadlines(mock->base_url());
        p.timeouts.total = 30s;
        request.timeout = soon;
        CHECK(call_once(stream, p, request).ec == errc::deadline_exceeded);
        return;
    }
    p.timeouts.total = soon;
    CHECK(call_once(stream, p, request).ec == errc::deadline_exceeded);
}

TEST_CASE("deadline: the earlier of two strikes")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(serin::mock::forever));
    auto p = no_deadlines(server.base_url());
    p.timeouts.first_byte = soon;
    p.timeouts.total = 20s;
    CHECK(call_once(false, p).ec == errc::first_byte_timeout);
    p.timeouts.first_byte = 20s;
    p.timeouts.total = soon;
    CHECK(call_once(false, p).ec == errc::deadline_exceeded);
}

TEST_CASE("deadline: zero turns them off")
{
    serin::mock::provider server;
    behavior b = behavior().with_tokens(3).delayed(50ms).paced(50ms, 50ms);
    server.set_default(b);
    auto const p = no_deadlines(server.base_url());
    CHECK_FALSE(chat_once(p, ask()).ec);
    CHECK_FALSE(stream_once(p, ask()).ec);
}

TEST_CASE("deadline: one call's leaves the others and the next alone")
{
    serin::mock::provider server;
    server.on_next(behavior().delayed(serin::mock::forever));
    server.set_default(behavior().delayed(300ms).with_text("late"));
    auto p = no_deadlines(server.base_url());
    session s(p);
    serin::error_code hurried;
    std::string patient;
    auto request = ask();
    request.timeout = soon;
    s.client.async_chat(request, [&](serin::error_code ec, serin::chat_response) { hurried = ec; });
    while (server.request_count() == 0)
        s.context.run_one_for(10ms);
    s.client.async_chat(ask(), [&](serin::error_code, serin::chat_response r) { patient = r.text(); });
    s.run();
    CHECK(hurried == errc::deadline_exceeded);
    CHECK(patient == "late");
    CHECK(s.chat().response.text() == "late");
}
