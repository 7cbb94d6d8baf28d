// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The pool over real sockets, and servers that break the rules of HTTP.

#include "answers.hpp"
#include "catch.hpp"
#include "raw_server.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;

namespace {

constexpr std::size_t mib = 1024 * 1024;

// What sanitizers keep aside is not the library's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_measurable = false;
#else
constexpr bool memory_is_measurable = true;
#endif

serin::client_params patient(std::string base_url)
{
    auto p = params_for(std::move(base_url));
    p.timeouts.first_byte = p.timeouts.idle = 30s; // Not what ends a test
    return p;
}

serin::client_params one_connection(std::string base_url)
{
    auto p = patient(std::move(base_url));
    p.pool.max_per_host = 1;
    return p;
}

// Many chats, so many at a time. Returns how many came to an answer.
int chat_many(asio::io_context& context, serin::client& client, int count, int at_a_time, int threads)
{
    std::atomic<int> ok{0};
    std::atomic<int> left{count};
    std::function<void()> next = [&] {
        if (left.fetch_sub(1) <= 0)
            return;
        client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response r) {
            ok += !ec && r.finish_reason() == "stop";
            next();
        });
    };
    for (int i = 0; i < at_a_time; ++i)
        next();
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i)
        others.emplace_back([&] { context.run(); });
    context.run();
    for (auto& t : others)
        t.join();
    return ok;
}

// A server that sends `bytes` after each request, then `again` until the client has left.
raw_server endless(std::string bytes, std::string again)
{
    return raw_server([=](raw_server::peer& p) {
        if (!p.read_request() || !p.write(bytes))
            return;
        while (p.write(again))
            ;
    });
}

} // namespace

TEST_CASE("pool: 1,000 chats at 64 at a time use at most 64 connections")
{
    int const threads = GENERATE(1, 2);
    serin::mock::provider server;
    asio::io_context context(threads);
    serin::client client(context.get_executor(), params_for(server.base_url()));
    CHECK(chat_many(context, client, 1000, 64, threads) == 1000);
    CHECK(server.request_count() == 1000);
    CHECK(server.max_connections_open() <= 64);
    CHECK(server.connections_accepted() <= 64);
    auto const n = client.connections();
    CHECK(n.live <= 64);
    CHECK(n.idle == n.live);
    CHECK(n.waiting == 0);
}

TEST_CASE("pool: calls one after another use one connection")
{
    serin::mock::provider server;
    session s(params_for(server.base_url()));
    for (int i = 0; i < 10; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 1);
    CHECK(s.client.connections().live == 1);
    CHECK(s.client.connections().idle == 1);
}

TEST_CASE("pool: a cap of few connections serves many calls on two threads, and no call is forgotten")
{
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    p.pool.max_per_host = GENERATE(1u, 2u);
    p.timeouts.pool = 20s;
    asio::io_context context(2);
    serin::client client(context.get_executor(), p);
    auto const began = std::chrono::steady_clock::now();
    CHECK(chat_many(context, client, 2000, 4, 2) == 2000);
    CHECK(std::chrono::steady_clock::now() - began < 19s);
    CHECK(server.max_connections_open() <= p.pool.max_per_host);
}

TEST_CASE("pool: with one connection calls are served in their order")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().echoing());
    session s(one_connection(server.base_url()));
    std::vector<std::string> order;
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i)
    {
        expected.push_back("call " + std::to_string(i));
        serin::chat_request r("mock");
        r.user(expected.back());
        s.client.async_chat(
            r, [&](serin::error_code ec, serin::chat_response reply) { order.push_back(ec ? "error" : reply.text()); });
    }
    CHECK(s.client.connections().waiting <= 20);
    s.run();
    CHECK(order == expected);
    CHECK(server.connections_accepted() == 1);
}

TEST_CASE("pool: upstreams of one origin share its connections")
{
    serin::mock::provider server;
    auto p = one_connection(server.base_url());
    p.upstreams.push_back(p.upstreams[0]);
    p.upstreams[1].name = "other";
    p.upstreams[1].model = "other-model";
    session s(p);
    for (int i = 0; i < 20; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 1);
    CHECK(s.client.connections().live == 1);
}

// ---- Waiting

TEST_CASE("pool: no connection becomes free in time")
{
    serin::mock::provider server;
    server.on_next(serin::mock::behavior().delayed(serin::mock::forever));
    auto p = one_connection(server.base_url());
    p.timeouts.pool = 50ms;
    session s(p);
    serin::error_code first;
    serin::error_code second;
    serin::diagnostics diag;
    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) { first = ec; });
    while (server.request_count() == 0)
        s.context.run_one_for(10ms);
    auto const began = std::chrono::steady_clock::now();
    s.client.async_chat(ask(), diag, [&](serin::error_code ec, serin::chat_response) {
        second = ec;
        s.client.cancel();
    });
    s.run();
    CHECK(second == errc::pool_timeout);
    CHECK(std::chrono::steady_clock::now() - began >= 50ms);
    CHECK(diag.phase == serin::call_phase::pool);
    CHECK_THAT(diag.message, ContainsSubstring("in use"));
    CHECK(first == asio::error::operation_aborted);
    CHECK(s.client.connections().live == 0);
}

TEST_CASE("pool: whoever waits gets the place of a call that is cancelled")
{
    serin::mock::provider server;
    server.on_next(serin::mock::behavior().delayed(serin::mock::forever));
    auto p = one_connection(server.base_url());
    p.timeouts.pool = 0s; // Off
    session s(p);
    asio::cancellation_signal signal;
    serin::error_code first;
    std::string second;
    s.client.async_chat(ask(),
        asio::bind_cancellation_slot(signal.slot(), [&](serin::error_code ec, serin::chat_response) { first = ec; }));
    while (server.request_count() == 0)
        s.context.run_one_for(10ms);
    s.client.async_chat(ask(), [&](serin::error_code, serin::chat_response r) { second = r.finish_reason(); });
    while (s.client.connections().waiting == 0)
        s.context.run_one_for(10ms);
    signal.emit(asio::cancellation_type::terminal);
    s.run();
    CHECK(first == asio::error::operation_aborted);
    CHECK(second == "stop");
    CHECK(server.connections_accepted() == 2);
}

TEST_CASE("pool: a call that is cancelled while it waits leaves the queue")
{
    serin::mock::provider server;
    server.on_next(serin::mock::behavior().delayed(100ms));
    session s(one_connection(server.base_url()));
    asio::cancellation_signal signal;
    std::vector<std::string> order;
    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) { order.push_back(ec ? "?" : "a"); });
    s.client.async_chat(
        ask(), asio::bind_cancellation_slot(signal.slot(), [&](serin::error_code ec, serin::chat_response) {
            order.push_back(ec == asio::error::operation_aborted ? "b cancelled" : "?");
        }));
    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) { order.push_back(ec ? "?" : "c"); });
    while (server.request_count() == 0)
        s.context.run_one_for(10ms);
    signal.emit(asio::cancellation_type::total);
    s.run();
    CHECK(order == std::vector<std::string>{"b cancelled", "a", "c"});
    CHECK(server.connections_accepted() == 1);
}

// ---- What is kept

TEST_CASE("pool: connections that end with their answer are not kept")
{
    serin::mock::provider server;
    serin::mock::behavior b;
    SECTION("Connection: close")
    {
        b.closing();
    }
    SECTION("HTTP/1.0")
    {
        b.http_1_0 = true;
    }
    SECTION("a body that the close delimits")
    {
        b.with_framing(serin::mock::framing::close);
    }
    SECTION("Keep-Alive: timeout=1")
    {
        b.with_header("Keep-Alive", "timeout=1");
    }
    SECTION("Keep-Alive: max=100, Timeout=0")
    {
        b.with_header("Keep-Alive", "max=100, Timeout=0");
    }
    server.set_default(b);
    session s(params_for(server.base_url()));
    for (int i = 0; i < 3; ++i)
    {
        REQUIRE_FALSE(s.chat().ec);
        CHECK(s.client.connections().live == 0);
    }
    CHECK(server.connections_accepted() == 3);
}

TEST_CASE("pool: a server's Keep-Alive that allows it is used")
{
    serin::mock::provider server;
    server.set_default(
        serin::mock::behavior().with_header("Keep-Alive", GENERATE("timeout=60", "timeout=60, max=5", "max=7")));
    session s(params_for(server.base_url()));
    for (int i = 0; i < 3; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 1);
}

TEST_CASE("pool: ages after which a connection is not used again")
{
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    SECTION("in all")
    {
        p.pool.max_lifetime = 1ns;
    }
    SECTION("idle")
    {
        p.pool.idle_timeout = 1ns;
    }
    session s(p);
    for (int i = 0; i < 3; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 3);
    CHECK(s.client.connections().live <= 1);
}

TEST_CASE("pool: ages without end")
{
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    p.pool.max_lifetime = p.pool.idle_timeout = p.pool.trim_delay = serin::duration::max();
    p.timeouts.pool = p.timeouts.connect = p.timeouts.write = p.timeouts.first_byte = p.timeouts.idle =
        serin::duration::max();
    session s(p);
    for (int i = 0; i < 3; ++i)
        REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 1);
}

TEST_CASE("pool: idle connections are closed on request")
{
    serin::mock::provider server;
    session s(params_for(server.base_url()));
    REQUIRE_FALSE(s.chat().ec);
    CHECK(s.client.connections().idle == 1);
    s.client.close_idle_connections();
    CHECK(s.client.connections().live == 0);
    CHECK(server.wait_until([&] { return server.connections_open() == 0; }));
    REQUIRE_FALSE(s.chat().ec);
    CHECK(server.connections_accepted() == 2);
}

TEST_CASE("pool: more idle connections than wanted stay for a burst and are trimmed later")
{
    serin::mock::provider one;
    serin::mock::provider two;
    auto p = params_for(one.base_url());
    p.upstreams.push_back(p.upstreams[0]);
    p.upstreams[1].name = "two";
    p.upstreams[1].base_url = two.base_url();
    p.pool.trim_delay = 500ms;
    std::size_t most = 0;
    SECTION("of each host")
    {
        p.pool.max_idle_per_host = 2;
        most = 4;
    }
    SECTION("in all")
    {
        p.pool.max_idle = 3;
        most = 3;
    }
    session s(p);
    chat_many(s.context, s.client, 40, 40, 1);
    std::size_t const burst = s.client.connections().idle;
    CHECK(burst > most + 2);
    REQUIRE_FALSE(s.chat().ec);
    CHECK(s.client.connections().idle == burst);

    asio::steady_timer timer(s.context, 1500ms);
    timer.async_wait([](auto const&...) {});
    s.run();
    REQUIRE_FALSE(s.chat().ec);
    CHECK(s.client.connections().idle <= most + 1); // The one that was in use meanwhile
}

// ---- Connections that were closed behind our back

TEST_CASE("pool: an idle connection that the server closed is not used")
{
    serin::mock::provider server;
    session s(params_for(server.base_url()));
    REQUIRE_FALSE(s.chat().ec);
    close_idle(server);
    outcome const r = s.chat();
    CHECK_FALSE(r.ec);
    CHECK(r.diag.attempts.size() == 1);
    CHECK(server.connections_accepted() == 2);
    CHECK(s.client.connections().live == 1);
}

TEST_CASE("pool: a reused connection that dies under the request is replaced, uncounted")
{
    bool const reset = GENERATE(false, true);
    raw_server server([reset](raw_server::peer& p) {
        if (p.read_request())
            p.write(http_answer("one"));
        if (p.read_request() && p.number == 0)
        {
            if (reset)
                p.reset();
            return;
        }
        p.write(http_answer("two"));
        p.wait_for_close();
    });
    session s(patient(server.base_url()));
    CHECK(s.chat().response.text() == "one");
    outcome const r = s.chat();
    CHECK_FALSE(r.ec);
    CHECK(r.response.text() == "one"); // The first of the second connection
    CHECK(r.diag.attempts.size() == 1);
    CHECK(server.connections() == 2);
}

TEST_CASE("pool: a large request on a connection that dies under it is replaced too")
{
    raw_server server([](raw_server::peer& p) {
        if (!p.read_request())
            return;
        p.write(http_answer("ok"));
        if (p.number == 0)
        {
            char bytes[1000];
            boost::system::error_code ec;
            p.socket.read_some(asio::buffer(bytes), ec);
            p.reset();
            return;
        }
        p.wait_for_close();
    });
    session s(patient(server.base_url()));
    CHECK_FALSE(s.chat().ec);
    outcome const r = s.chat(ask_at_length(10 * mib));
    CHECK_FALSE(r.ec);
    CHECK(r.diag.attempts.size() == 1);
    CHECK(server.connections() == 2);
}

TEST_CASE("pool: a connection that dies otherwise is not replaced")
{
    enum class how
    {
        new_connection,
        after_a_byte,
        late,
    };
    how const h = GENERATE(how::new_connection, how::after_a_byte, how::late);
    raw_server server([h](raw_server::peer& p) {
        if (!p.read_request())
            return;
        if (h == how::new_connection)
            return;
        p.write(http_answer("one"));
        if (!p.read_request())
            return;
        if (h == how::after_a_byte)
            p.write("H");
        if (h == how::late)
            std::this_thread::sleep_for(1200ms);
    });
    auto p = patient(server.base_url());
    p.retry.max_attempts = 1;
    session s(p);
    if (h != how::new_connection)
        CHECK_FALSE(s.chat().ec);
    outcome const r = s.chat();
    CHECK(r.ec == (h == how::after_a_byte ? errc::malformed_response : errc::connection_lost));
    CHECK(r.diag.attempts.size() == 1);
    CHECK(server.connections() == 1);
}

// ---- Bytes that nobody asked for

TEST_CASE("pool: bytes after an answer never answer the next request")
{
    enum class when
    {
        with_the_answer,
        while_idle,
    };
    when const w = GENERATE(when::with_the_answer, when::while_idle);
    std::promise<void> written;
    raw_server server([&](raw_server::peer& p) {
        if (!p.read_request())
            return;
        if (p.number == 0)
        {
            if (w == when::with_the_answer)
                p.write(http_answer("one") + http_answer("EVIL"));
            else
                p.write(http_answer("one"));
            p.write(http_answer("EVIL"));
            written.set_value();
        }
        else
        {
            p.write(http_answer("two"));
        }
        p.wait_for_close();
    });
    session s(patient(server.base_url()));
    CHECK(s.chat().response.text() == "one");
    written.get_future().wait();
    CHECK(s.chat().response.text() == "two");
    CHECK(server.connections() == 2);
}

TEST_CASE("pool: nor when the connection is handed straight to the next call")
{
    std::promise<void> go;
    std::promise<void> written;
    raw_server server([&](raw_server::peer& p) {
        if (!p.read_request())
            return;
        if (p.number == 0)
        {
            p.write(http_answer("one"));
            go.get_future().wait();
            p.write(http_answer("EVIL"));
            written.set_value();
        }
        else
        {
            p.write(http_answer("two"));
            if (p.read_request())
                p.write(http_answer("three"));
        }
        p.wait_for_close();
    });
    session s(one_connection(server.base_url()));
    std::vector<std::string> texts;
    // The second call has the connection already when the handler of the first runs.
    s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response r) {
        texts.push_back(ec ? "error" : r.text());
        go.set_value();
        written.get_future().wait();
    });
    for (int i = 0; i < 2; ++i)
        s.client.async_chat(
            ask(), [&](serin::error_code ec, serin::chat_response r) { texts.push_back(ec ? "error" : r.text()); });
    s.run();
    CHECK(texts == std::vector<std::string>{"one", "two", "three"});
    CHECK(server.connections() == 2);
}

TEST_CASE("exchange: an answer that comes before the request was sent whole is heard, and ends the connection")
{
    std::promise<void> answered;
    raw_server server([&](raw_server::peer& p) {
        char bytes[1000];
        boost::system::error_code ec;
        p.socket.read_some(asio::buffer(bytes), ec);
        p.write(http_answer("early"));
        answered.get_future().wait(); // The rest stays unread until then
        p.wait_for_close();
    });
    session s(patient(server.base_url()));
    outcome const r = s.chat(ask_at_length(20 * mib));
    answered.set_value();
    CHECK_FALSE(r.ec);
    CHECK(r.response.text() == "early");
    CHECK(s.client.connections().live == 0);
}

TEST_CASE("exchange: an early refusal wins over the broken pipe")
{
    bool const linger = GENERATE(true, false);
    int const status = GENERATE(413, 401);
    serin::mock::provider_params mp;
    mp.receive_buffer = 16 * 1024;
    serin::mock::provider server(mp);
    auto b = serin::mock::behavior().answered_early(status).with_error("not this", "", "");
    b.linger = linger;
    server.set_default(b);
    session s(patient(server.base_url()));
    for (int i = 0; i < 5; ++i)
    {
        outcome const r = s.chat(ask_at_length(10 * mib));
        CHECK(r.ec == (status == 413 ? errc::invalid_request : errc::authentication));
        CHECK(r.diag.status == status);
        CHECK(r.diag.message == "not this");
        CHECK(s.client.connections().live == 0);
    }
}

TEST_CASE("exchange: interim answers are skipped")
{
    raw_server server([](raw_server::peer& p) {
        while (p.read_request())
            p.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + http_answer("final"));
    });
    session s(patient(server.base_url()));
    for (int i = 0; i < 2; ++i)
    {
        outcome const r = s.chat();
        CHECK(r.response.text() == "final");
        CHECK(r.diag.headers.find("link").empty());
    }
    CHECK(server.connections() == 1);
}

TEST_CASE("exchange: a content encoding that nobody asked for is an error")
{
    raw_server server([](raw_server::peer& p) {
        if (p.read_request())
            p.write(http_answer("x", "Content-Encoding: gzip\r\n"));
        p.wait_for_close();
    });
    auto const p = patient(server.base_url());
    CHECK(chat_once(p, ask()).ec == errc::malformed_response);
    CHECK(stream_once(p, ask()).ec == errc::malformed_response);
    raw_server identity([](raw_server::peer& q) {
        if (q.read_request())
            q.write(http_answer("x", "Content-Encoding: Identity\r\n"));
        q.wait_for_close();
    });
    CHECK_FALSE(chat_once(patient(identity.base_url()), ask()).ec);
}

// ---- Servers without measure: an error, at once, and not in memory

TEST_CASE("exchange: answers without measure end in an error and not in memory")
{
    struct attack
    {
        char const* name;
        std::string begin;
        std::string again;
        errc expected;
    };
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    std::string const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
    std::string const json = completion_json("x");
    std::string const block(16 * 1024, 'x');
    attack const all[] = {
        {"a body of 1 GB", ok + "Content-Length: 1073741824\r\n\r\n", block, errc::response_too_large},
        {"a body that the close would end", ok + "\r\n", block, errc::response_too_large},
        {"endless chunks", chunked, "4000\r\n" + block + "\r\n", errc::response_too_large},
        {"a chunk of 1 GB", chunked + "40000000\r\n", block, errc::response_too_large},
        {"an endless trailer line", chunked + "2\r\n{}\r\n0\r\nA: ", block, errc::response_too_large},
        {"endless trailer fields", chunked + "2\r\n{}\r\n0\r\n", "A: b\r\nLonger: than-that\r\n",
            errc::response_too_large},
        {"an endless chunk extension", chunked + "2;a=", block, errc::response_too_large},
        {"an endless chunk size", chunked, std::string(1000, '0'), errc::response_too_large},
        {"endless interim answers", "", "HTTP/1.1 100 Continue\r\n\r\n", errc::malformed_response},
        {"an endless status line", ok.substr(0, 15), block, errc::response_too_large},
        {"an endless field name", ok, block, errc::response_too_large},
        {"an endless field value", ok + "A: ", block, errc::response_too_large},
        {"endless fields", ok, "A: b\r\n", errc::response_too_large},
        {"an endless fold", ok + "A: b\r\n", " c\r\n", errc::response_too_large},
    };
    for (attack const& a : all)
    {
        CAPTURE(a.name);
        raw_server server = endless(a.begin, a.again);
        auto p = patient(server.base_url());
        p.limits.body = 2 * mib;
        std::size_t const before = resident_bytes();
        auto const began = std::chrono::steady_clock::now();
        outcome const r = chat_once(p, ask());
        CHECK(std::chrono::steady_clock::now() - began < 10s);
        CHECK(r.ec == a.expected);
        if (memory_is_measurable)
            CHECK(resident_bytes() < before + 12 * mib);
    }
}

TEST_CASE("exchange: a trailer of 1 MB that ends is an error too")
{
    std::string const json = completion_json("x");
    char size[16];
    std::snprintf(size, sizeof size, "%zx", json.size());
    raw_server server([&](raw_server::peer& p) {
        if (p.read_request())
            p.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (size + ("\r\n" + json)) +
                    "\r\n0\r\nA: " + std::string(mib, 'x') + "\r\n\r\n");
        p.wait_for_close();
    });
    CHECK(chat_once(patient(server.base_url()), ask()).ec == errc::response_too_large);
}

TEST_CASE("exchange: the body of an error without measure is cut")
{
    raw_server server = endless("HTTP/1.1 500 Oops\r\n\r\n", "endless ");
    outcome const r = chat_once(patient(server.base_url()), ask());
    CHECK(r.ec == errc::server_error);
    CHECK(r.diag.status == 500);
    CHECK(r.diag.body.size() == 64 * 1024);
}

TEST_CASE("exchange: the limit of a head can be raised and lowered")
{
    std::string const field = "X-Long: " + std::string(300 * 1024, 'x') + "\r\n";
    raw_server server([&](raw_server::peer& p) {
        while (p.read_request())
            p.write(http_answer("x", field));
    });
    auto p = patient(server.base_url());
    CHECK(chat_once(p, ask()).ec == errc::response_too_large);
    p.limits.head = mib;
    CHECK_FALSE(chat_once(p, ask()).ec);
    p.limits.head = 1000;
    CHECK(chat_once(p, ask()).ec == errc::response_too_large);
}

TEST_CASE("exchange: what all calls buffer is capped")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().with_text(std::string(3 * mib, 'x')));
    auto p = patient(server.base_url());
    p.limits.buffered = 2 * mib;
    session s(p);
    CHECK(s.chat().ec == errc::memory_limit);
    server.set_default(serin::mock::behavior().with_text(std::string(mib / 2, 'x')));
    CHECK_FALSE(s.chat().ec); // All was given back
}

TEST_CASE("exchange: a server that sends faster than we read holds up neither deadlines nor others")
{
    std::string comments;
    while (comments.size() < 64 * 1024)
        comments += ": still there\n\n";
    raw_server server = endless("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", comments);
    auto p = patient(server.base_url());
    p.timeouts.total = 500ms;
    session s(p);
    serin::error_code result;
    bool others_ran = false;
    s.client.async_stream(ask(), [&](serin::error_code ec, serin::chat_stream) { result = ec; });
    asio::steady_timer timer(s.context, 100ms);
    timer.async_wait([&](auto const&...) { others_ran = !result; });
    auto const began = std::chrono::steady_clock::now();
    s.run();
    CHECK(result == errc::deadline_exceeded);
    CHECK(others_ran);
    CHECK(std::chrono::steady_clock::now() - began < 10s);
}
