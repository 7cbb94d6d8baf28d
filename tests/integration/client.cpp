// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Whole answers: every way to call, every answer that means something, and what is left behind.

#include "catch.hpp"
#include "run.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;

TEST_CASE("a whole answer arrives")
{
    serin::mock::provider server;
    server.on_next(serin::mock::behavior().with_text("Hello there"));
    outcome const r = chat_once(params_for(server.base_url()), ask());
    REQUIRE_FALSE(r.ec);
    CHECK(r.response.text() == "Hello there");
    CHECK(r.response.finish_reason() == "stop");
    CHECK(r.response.model == "mock");
    CHECK(r.response.upstream == "default");
    CHECK(r.response.request_id == "req_mock_1");
    REQUIRE(r.response.usage);
    CHECK(r.response.usage->completion_tokens > 0);
    REQUIRE(r.diag.attempts.size() == 1);
    CHECK(r.diag.attempts[0].status == 200);
    CHECK(r.diag.request_id == "req_mock_1");
}

TEST_CASE("the request on the wire is what was asked")
{
    serin::mock::provider server;
    server.set_keys({"sk-secret-1"});
    auto p = params_for(server.base_url());
    p.upstreams[0].keys = serin::fixed_key(serin::secret("sk-secret-1"));
    p.upstreams[0].model = "other-model";
    p.upstreams[0].headers.emplace_back("X-Team", "canary");
    auto r = ask("asked-model");
    r.temperature = 0.5;
    REQUIRE_FALSE(chat_once(p, r).ec);
    auto const log = server.requests();
    REQUIRE(log.size() == 1);
    CHECK(log[0].model == "other-model");
    CHECK(log[0].target == "/v1/chat/completions");
    CHECK(log[0].headers.find("authorization") == "Bearer sk-secret-1");
    CHECK(log[0].headers.find("x-team") == "canary");
    CHECK(log[0].headers.find("accept-encoding") == "identity");
    CHECK_THAT(log[0].body, ContainsSubstring("\"temperature\":0.5"));
    CHECK(log[0].body.find("stream") == std::string::npos);
}

TEST_CASE("an error answer becomes an errc and diagnostics")
{
    struct expectation
    {
        int status;
        errc ec;
    };
    auto const e = GENERATE(expectation{400, errc::invalid_request}, expectation{401, errc::authentication},
        expectation{402, errc::quota_exhausted}, expectation{403, errc::permission}, expectation{404, errc::not_found},
        expectation{408, errc::request_timeout}, expectation{409, errc::conflict},
        expectation{422, errc::invalid_request}, expectation{429, errc::rate_limited},
        expectation{500, errc::server_error}, expectation{503, errc::overloaded}, expectation{302, errc::redirected});
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().with_status(e.status).with_retry_after("7"));
    auto p = params_for(server.base_url());
    p.retry.max_attempts = 1;
    outcome const whole = chat_once(p, ask());
    CHECK(whole.ec == e.ec);
    CHECK(whole.diag.status == e.status);
    CHECK(whole.diag.retry_after == 7s);
    CHECK(whole.diag.request_id == "req_mock_1");
    CHECK(whole.diag.upstream == "default");
    outcome const streamed = stream_once(p, ask());
    CHECK(streamed.ec == e.ec);
    CHECK(streamed.diag.status == e.status);
}

TEST_CASE("an error inside a 200 is an error")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().error_in_200().with_error("slow down", "x", "rate_limit_exceeded"));
    auto p = params_for(server.base_url());
    p.retry.max_attempts = 1;
    CHECK(chat_once(p, ask()).ec == errc::rate_limited);
    CHECK(stream_once(p, ask()).ec == errc::rate_limited);
}

TEST_CASE("a key that the server echoes is scrubbed")
{
    serin::mock::provider_params mp;
    mp.echo_key = true;
    serin::mock::provider server(mp);
    server.set_keys({"sk-right"});
    auto p = params_for(server.base_url());
    p.upstreams[0].keys = serin::fixed_key(serin::secret("sk-wrong-one"));
    outcome const r = chat_once(p, ask());
    CHECK(r.ec == errc::authentication);
    for (std::string const& text : {r.diag.message, r.diag.body, serin::describe(r.ec, r.diag)})
        CHECK(text.find("sk-wrong-one") == std::string::npos);
    CHECK_THAT(r.diag.body, ContainsSubstring(serin::secret("sk-wrong-one").fingerprint()));
}

TEST_CASE("parameters that cannot work are refused at once")
{
    asio::io_context context;
    auto const refusal = [&](serin::client_params p) {
        try
        {
            serin::client c(context.get_executor(), std::move(p));
        }
        catch (serin::api_error const& e)
        {
            CHECK_FALSE(e.diag().message.empty());
            return e.code();
        }
        return serin::error_code();
    };
    CHECK(refusal(serin::client_params()) == errc::invalid_argument);
    CHECK(refusal(params_for("ftp://example.com")) == errc::invalid_url);
    CHECK(refusal(params_for("http://user:pass@example.com")) == errc::invalid_url);
    auto insecure = params_for("http://example.com/v1");
    insecure.upstreams[0].keys = serin::fixed_key(serin::secret("k"));
    CHECK(refusal(insecure) == errc::insecure_transport);
    insecure.upstreams[0].allow_insecure_key = true;
    CHECK_FALSE(refusal(insecure));
    auto header = params_for("http://127.0.0.1/v1");
    header.upstreams[0].headers.emplace_back("X-A", "b\r\nX-Evil: 1");
    CHECK(refusal(header) == errc::invalid_argument);
}

TEST_CASE("a key that cannot stand in a header is never sent")
{
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    CHECK_THROWS_AS(serin::fixed_key(serin::secret("sk-1\r\nX-Evil: 1")), serin::api_error);
    ::setenv("SERIN_TEST_CLIENT_KEY", "sk-1\r\nX-Evil: 1", 1);
    p.upstreams[0].keys = serin::env_key("SERIN_TEST_CLIENT_KEY");
    ::unsetenv("SERIN_TEST_CLIENT_KEY");
    outcome const r = chat_once(p, ask());
    CHECK(r.ec == errc::invalid_key);
    CHECK(r.diag.message.find("sk-1") == std::string::npos);
    CHECK(server.request_count() == 0);
}

TEST_CASE("a request that cannot be sent fails without a connection")
{
    serin::mock::provider server;
    auto r = ask();
    r.temperature = 9;
    outcome const o = chat_once(params_for(server.base_url()), r);
    CHECK(o.ec == errc::invalid_argument);
    CHECK_THAT(o.diag.message, ContainsSubstring("temperature"));
    CHECK(server.connections_accepted() == 0);
}

TEST_CASE("nobody listens")
{
    unsigned short port = 0;
    {
        serin::mock::provider gone;
        port = gone.port();
    }
    outcome const r = chat_once(params_for("http://127.0.0.1:" + std::to_string(port) + "/v1"), ask());
    CHECK(r.ec == errc::connect_failed);
    CHECK_THAT(r.diag.message, ContainsSubstring("127.0.0.1"));
    CHECK(r.diag.phase == serin::call_phase::connect);
}

TEST_CASE("a name without an address")
{
    outcome const r = chat_once(params_for("http://no-such-host.invalid/v1"), ask());
    CHECK(r.ec == errc::resolve_failed);
    CHECK_THAT(r.diag.message, ContainsSubstring("no-such-host.invalid"));
}

// ---- Ways to call

TEST_CASE("the default token throws api_error with diagnostics")
{
    serin::mock::provider server;
    server.set_default(
        serin::mock::behavior().with_status(400).with_error("no such thing", "invalid_request_error", "bad"));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    bool thrown = false;
    auto body = [&]() -> asio::awaitable<void> {
        try
        {
            serin::chat_response const r = co_await client.async_chat(ask());
            CHECK(r.text().empty());
        }
        catch (serin::api_error const& e)
        {
            thrown = true;
            CHECK(e.code() == errc::invalid_request);
            CHECK(e.diag().message == "no such thing");
            CHECK(e.diag().code == "bad");
            CHECK(e.diag().type == "invalid_request_error");
            CHECK(e.diag().attempts.size() == 1);
        }
    };
    run(context, body());
    CHECK(thrown);
}

TEST_CASE("every completion token works")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().with_text("ok"));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));

    SECTION("callback")
    {
        std::string text;
        client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response r) { text = ec ? "error" : r.text(); });
        CHECK(text.empty()); // Not inline
        context.run();
        CHECK(text == "ok");
    }
    SECTION("future")
    {
        auto f = client.async_chat(ask(), asio::use_future);
        context.run();
        CHECK(f.get().text() == "ok");
    }
    SECTION("future that throws with diagnostics")
    {
        server.set_default(serin::mock::behavior().with_status(404));
        auto f = client.async_chat(ask(), serin::with_diagnostics(asio::use_future));
        context.run();
        CHECK_THROWS_AS(f.get(), serin::api_error);
    }
    SECTION("deferred")
    {
        auto op = client.async_chat(ask(), asio::deferred);
        std::string text;
        std::move(op)([&](serin::error_code, serin::chat_response r) { text = r.text(); });
        context.run();
        CHECK(text == "ok");
    }
    SECTION("as_tuple of deferred and of use_awaitable")
    {
        auto body = [&]() -> asio::awaitable<void> {
            serin::diagnostics diag;
            auto [ec, r] = co_await client.async_chat(ask(), diag, asio::as_tuple(asio::deferred));
            CHECK_FALSE(ec);
            CHECK(r.text() == "ok");
            auto [ec2, r2] = co_await client.async_chat(ask(), asio::as_tuple(asio::use_awaitable));
            CHECK_FALSE(ec2);
            CHECK(r2.text() == "ok");
        };
        run(context, body());
    }
    SECTION("a handler's own executor is used")
    {
        asio::thread_pool pool(1);
        std::thread::id ran_on;
        client.async_chat(ask(), asio::bind_executor(pool, [&](serin::error_code, serin::chat_response) {
            ran_on = std::this_thread::get_id();
        }));
        context.run();
        pool.join();
        CHECK(ran_on != std::thread::id());
        CHECK(ran_on != std::this_thread::get_id());
    }
    SECTION("awaitable operators")
    {
        using namespace asio::experimental::awaitable_operators;
        server.set_default(serin::mock::behavior().delayed(serin::mock::forever));
        auto body = [&]() -> asio::awaitable<void> {
            asio::steady_timer timer(context, 50ms);
            auto first = co_await (client.async_chat(ask()) || timer.async_wait(asio::use_awaitable));
            CHECK(first.index() == 1);
            server.set_default(serin::mock::behavior().with_text("both"));
            auto [a, b] = co_await (client.async_chat(ask()) && client.async_chat(ask()));
            CHECK(a.text() == "both");
            CHECK(b.text() == "both");
        };
        run(context, body());
    }
}

TEST_CASE("every type of cancellation ends a call and its connection")
{
    auto const type =
        GENERATE(asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal);
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().delayed(serin::mock::forever));
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    asio::cancellation_signal signal;
    serin::error_code result;
    client.async_chat(ask(),
        asio::bind_cancellation_slot(signal.slot(), [&](serin::error_code ec, serin::chat_response) { result = ec; }));
    context.run_for(0ms);
    auto const asked = [&] { return server.request_count() == 1; };
    while (!asked())
        context.run_one_for(10ms);
    signal.emit(type);
    context.run_for(10s);
    CHECK(result == asio::error::operation_aborted);
    CHECK(context.stopped());
    CHECK(client.connections().live == 0);
    CHECK(server.wait_until([&] { return server.connections_open() == 0; }));

    // The client can be used again.
    server.set_default(serin::mock::behavior().with_text("again"));
    std::string text;
    client.async_chat(ask(), [&](serin::error_code, serin::chat_response r) { text = r.text(); });
    context.restart();
    context.run();
    CHECK(text == "again");
}

TEST_CASE("client.cancel and ~client complete what is outstanding")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().delayed(serin::mock::forever));
    asio::io_context context;
    auto client = std::make_unique<serin::client>(context.get_executor(), params_for(server.base_url()));
    std::vector<serin::error_code> results;
    for (int i = 0; i < 3; ++i)
        client->async_chat(ask(), [&](serin::error_code ec, serin::chat_response) { results.push_back(ec); });
    while (server.request_count() < 3)
        context.run_one_for(10ms);
    SECTION("cancel")
    {
        client->cancel();
    }
    SECTION("destructor")
    {
        client.reset();
    }
    context.run_for(10s);
    CHECK(context.stopped());
    REQUIRE(results.size() == 3);
    for (auto const& ec : results)
        CHECK(ec == asio::error::operation_aborted);
}

TEST_CASE("a throwing handler leaves run and the client goes on")
{
    serin::mock::provider server;
    asio::io_context context;
    serin::client client(context.get_executor(), params_for(server.base_url()));
    client.async_chat(ask(), [](serin::error_code, serin::chat_response) { throw std::runtime_error("mine"); });
    CHECK_THROWS_WITH(context.run(), "mine");
    bool ok = false;
    client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) { ok = !ec; });
    context.restart();
    context.run();
    CHECK(ok);
    CHECK(server.connections_accepted() == 1);
}

TEST_CASE("a throwing logger takes nothing with it")
{
    serin::mock::provider server;
    server.set_default(serin::mock::behavior().with_status(500));
    auto p = params_for(server.base_url());
    p.retry.max_attempts = 1;
    p.log = [](serin::log_level, std::string_view) { throw 1; };
    CHECK(chat_once(p, ask()).ec == errc::server_error);
}

TEST_CASE("many calls on two threads")
{
    serin::mock::provider server;
    asio::io_context context(2);
    serin::client client(context.get_executor(), params_for(server.base_url()));
    std::atomic<int> ok{0};
    std::atomic<int> left{500};
    std::function<void()> next = [&] {
        if (left.fetch_sub(1) <= 0)
            return;
        client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response r) {
            ok += !ec && r.finish_reason() == "stop";
            next();
        });
    };
    for (int i = 0; i < 32; ++i)
        next();
    std::thread other([&] { context.run(); });
    context.run();
    other.join();
    CHECK(ok == 500);
    CHECK(server.max_connections_open() <= 32);
}

TEST_CASE("a single-threaded client needs no strand")
{
    serin::mock::provider server;
    auto p = params_for(server.base_url());
    p.thread_safe = false;
    CHECK_FALSE(chat_once(p, ask()).ec);
    CHECK_FALSE(stream_once(p, ask()).ec);
}
