// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// Trying again: how often, when, at whose cost, and how a call ends between two tries.

#include "catch.hpp"
#include "tries.hpp"

#include <serin/core/secret.hpp>
#include <serin/core/with_diagnostics.hpp>
#include <serin/mock/provider.hpp>
#include <serin/policy/keys.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::errc;
using serin::give_up;
using serin::mock::behavior;

namespace {

behavior status(int code)
{
    return behavior().with_status(code);
}

// Retries wait no time at all, so that no budget comes back meanwhile.
serin::client_params without_delay(std::vector<std::string> const& urls)
{
    auto p = upstreams_at(urls);
    p.retry.base_delay = 0s;
    return p;
}

serin::duration since(std::chrono::steady_clock::time_point then)
{
    return std::chrono::steady_clock::now() - then;
}

} // namespace

// ---- How often

TEST_CASE("retries: one attempt at most is one attempt")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_default(status(500));
    auto p = upstreams_at({first.base_url(), second.base_url()});
    p.retry.max_attempts = 1;
    quick_session s(p);
    outcome const r = s.call(streamed);
    CHECK(r.ec == errc::server_error);
    CHECK(asked(r.diag) == "a");
    CHECK(r.diag.gave_up == give_up::attempts);
    CHECK(s.clock->waits().empty());
}

TEST_CASE("retries: an outage is not multiplied")
{
    constexpr int calls = 300;
    serin::mock::provider server;
    server.set_default(status(500));
    auto p = without_delay({server.base_url()});
    p.retry.budget_per_second = 1;
    quick_session s(p);
    auto const began = std::chrono::steady_clock::now();
    outcome last;
    for (int i = 0; i < calls; ++i)
        last = s.chat();
    auto const seconds = std::chrono::ceil<std::chrono::seconds>(since(began)).count();

    auto const retries = static_cast<long>(server.request_count()) - calls;
    CAPTURE(seconds, trail(last.diag));
    CHECK(retries >= 10); // What is granted without requests
    CHECK(retries <= calls / 5 + 10 + seconds);
    CHECK(last.ec == errc::server_error);
    CHECK(last.diag.gave_up == give_up::budget);
    CHECK(last.diag.attempts.size() <= 2);
    CHECK_THAT(serin::describe(last.ec, last.diag), ContainsSubstring("the retry budget is empty"));
}

TEST_CASE("retries: without a budget there is still the second upstream")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    serin::mock::provider third;
    for (auto* server : {&first, &second, &third})
        server->set_default(status(503));
    std::vector<std::string> const urls = {first.base_url(), second.base_url(), third.base_url()};
    for (std::size_t count = 1; count <= 3; ++count)
    {
        auto p = without_delay({urls.begin(), urls.begin() + static_cast<std::ptrdiff_t>(count)});
        p.retry.budget_ratio = 0;
        p.retry.budget_per_second = 0;
        quick_session s(p);
        outcome const r = s.call(streamed);
        CAPTURE(count, trail(r.diag));
        CHECK(r.ec == errc::overloaded);
        CHECK(r.diag.attempts.size() == std::min<std::size_t>(count, 2));
        CHECK(r.diag.gave_up == give_up::budget);
    }
}

TEST_CASE("retries: an upstream without a share is never asked")
{
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_default(status(500));
    auto p = upstreams_at({first.base_url(), second.base_url()});
    p.upstreams[1].weight = 0;
    quick_session s(p);
    outcome const r = s.chat();
    CHECK(r.ec == errc::server_error);
    CHECK(asked(r.diag) == "aaaaa");
    CHECK(second.request_count() == 0);
}

TEST_CASE("retries: with three upstreams each is asked before one is asked again")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider servers[3];
    std::vector<std::string> urls;
    for (auto& server : servers)
    {
        server.set_default(status(500));
        urls.push_back(server.base_url());
    }
    auto p = upstreams_at(urls);
    p.retry.max_attempts = 7;
    quick_session s(p);
    outcome const r = s.call(streamed);
    CHECK(r.ec == errc::server_error);
    std::string first_round = asked(r.diag).substr(0, 3);
    CHECK(first_round.front() == 'a');
    std::sort(first_round.begin(), first_round.end());
    CHECK(first_round == "abc");
    std::string second_round = asked(r.diag).substr(3, 3);
    std::sort(second_round.begin(), second_round.end());
    CHECK(second_round == "abc");
    CHECK(r.diag.attempts.size() == 7);
}

TEST_CASE("retries: other endpoints are tried again too")
{
    serin::mock::provider server;
    quick_session s(upstreams_at({server.base_url()}));
    serin::diagnostics diag;
    serin::error_code ec = errc::invalid_argument;
    SECTION("embeddings")
    {
        server.on_next(status(503));
        serin::embedding_request request("mock");
        request.input = {"hello"};
        s.client.async_embed(std::move(request), diag, [&](serin::error_code e, serin::embedding_response) { ec = e; });
        s.finish();
        CHECK(asked(diag) == "aa");
    }
    SECTION("raw requests")
    {
        server.on_next(status(429));
        serin::raw_request request;
        request.method = "POST";
        request.path = "/moderations";
        request.body = R"({"model":"mock","input":"hello"})";
        s.client.async_request(std::move(request), diag, [&](serin::error_code e, serin::raw_response) { ec = e; });
        s.finish();
        CHECK(asked(diag) == "aa");
    }
    CHECK_FALSE(ec);
}

// ---- When

TEST_CASE("retries: a Retry-After that is too long is not waited for")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_default(status(429).with_retry_after("61"));
    SECTION("one upstream: the call fails at once and says when")
    {
        quick_session s(upstreams_at({first.base_url()}));
        outcome const r = s.call(streamed);
        CHECK(r.ec == errc::rate_limited);
        CHECK(asked(r.diag) == "a");
        CHECK(r.diag.gave_up == give_up::retry_after);
        CHECK(r.diag.retry_after == 61s);
        CHECK(s.clock->waits().empty());
        CHECK_THAT(serin::describe(r.ec, r.diag), ContainsSubstring("no answer for another 61 s"));
    }
    SECTION("two: the other one is asked")
    {
        quick_session s(upstreams_at({first.base_url(), second.base_url()}));
        outcome const r = s.call(streamed);
        CHECK_FALSE(r.ec);
        CHECK(asked(r.diag) == "ab");
        CHECK(s.clock->waits().empty());
    }
    SECTION("two who want to be left alone")
    {
        second.set_default(status(503).with_retry_after("3600"));
        quick_session s(upstreams_at({first.base_url(), second.base_url()}));
        outcome const r = s.call(streamed);
        CHECK(r.ec == errc::overloaded);
        CHECK(asked(r.diag) == "ab");
        CHECK(r.diag.gave_up == give_up::retry_after);
        CHECK(r.diag.retry_after == 3600s);
    }
    SECTION("a longer one may be allowed")
    {
        auto p = upstreams_at({first.base_url()});
        p.retry.max_retry_after = 61s;
        p.retry.max_attempts = 2;
        quick_session s(p);
        outcome const r = s.call(streamed);
        CHECK(asked(r.diag) == "aa");
        CHECK(r.diag.gave_up == give_up::attempts);
        CHECK(r.diag.attempts[1].waited >= 61s);
    }
}

TEST_CASE("retries: whoever rests is not asked before one who does not")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    first.on_next(status(429).with_retry_after("30"));
    second.on_next(status(500));
    quick_session s(upstreams_at({first.base_url(), second.base_url()}));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    CHECK(asked(r.diag) == "abb");
    REQUIRE(s.clock->waits().size() == 1);
    CHECK(s.clock->waits()[0] <= 500ms);
}

TEST_CASE("retries: a wait that would outlast the call is not begun")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    server.set_default(status(429).with_retry_after("20"));
    auto p = upstreams_at({server.base_url()});
    std::optional<serin::duration> own;
    SECTION("the client's deadline")
    {
        p.timeouts.total = 10s;
    }
    SECTION("the request's own")
    {
        own = 10s;
    }
    quick_session s(p);
    serin::chat_request request = ask();
    request.timeout = own;
    auto const began = std::chrono::steady_clock::now();
    outcome const r = s.call(streamed, request);
    CHECK(since(began) < 5s);
    CHECK(r.ec == errc::rate_limited);
    CHECK(asked(r.diag) == "a");
    CHECK(r.diag.gave_up == give_up::deadline);
    CHECK(r.diag.retry_after == 20s);
    CHECK(s.clock->waits().empty());
    CHECK_THAT(serin::describe(r.ec, r.diag), ContainsSubstring("the deadline comes first"));
}

TEST_CASE("retries: one deadline for all attempts")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    auto p = upstreams_at({server.base_url()});
    p.retry.max_attempts = 1000;
    p.retry.base_delay = p.retry.max_delay = 20ms;
    p.timeouts.total = 400ms;
    auto const began = std::chrono::steady_clock::now();
    SECTION("between them")
    {
        server.set_default(status(500).delayed(30ms));
        outcome const r = streamed ? stream_once(p, ask()) : chat_once(p, ask());
        CAPTURE(trail(r.diag));
        CHECK(since(began) >= 300ms);
        CHECK(since(began) < 10s);
        CHECK(r.diag.attempts.size() > 2);
        // It struck while an attempt ran, or between two.
        if (r.ec == errc::server_error)
            CHECK(r.diag.gave_up == give_up::deadline);
        else
            CHECK(r.ec == errc::deadline_exceeded);
    }
    SECTION("in the second one")
    {
        server.on_next(status(500));
        server.set_default(behavior().delayed(serin::mock::forever));
        outcome const r = streamed ? stream_once(p, ask()) : chat_once(p, ask());
        CAPTURE(trail(r.diag));
        CHECK(since(began) >= 400ms);
        CHECK(r.ec == errc::deadline_exceeded);
        REQUIRE(r.diag.attempts.size() == 2);
        CHECK(r.diag.attempts[0].error == errc::server_error);
        CHECK(r.diag.attempts[1].error == errc::deadline_exceeded);
    }
}

TEST_CASE("retries: deadlines of an attempt do not shorten the wait after it")
{
    // On the real clock: that of other tests does not wait.
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    auto p = upstreams_at({server.base_url()});
    SECTION("they had not come yet")
    {
        p.timeouts.first_byte = p.timeouts.idle = p.timeouts.token_idle = 250ms;
        server.on_next(status(429).with_header("retry-after-ms", "700"));
        outcome const r = streamed ? stream_once(p, ask()) : chat_once(p, ask());
        CAPTURE(trail(r.diag));
        REQUIRE(r.diag.attempts.size() == 2);
        CHECK(r.diag.attempts[1].waited >= 700ms);
    }
    SECTION("one had ended the attempt")
    {
        p.timeouts.first_byte = 250ms;
        p.timeouts.idle = 250ms;
        // The same random numbers in the same order.
        auto const planned = [&] {
            server.on_next(behavior().delayed(serin::mock::forever));
            quick_session s(p);
            s.call(streamed);
            REQUIRE(s.clock->waits().size() == 1);
            return s.clock->waits()[0];
        }();
        server.on_next(behavior().delayed(serin::mock::forever));
        outcome const r = streamed ? stream_once(p, ask()) : chat_once(p, ask());
        CAPTURE(trail(r.diag), planned.count());
        REQUIRE(planned >= 10ms); // Else another seed is to be chosen
        REQUIRE(r.diag.attempts.size() == 2);
        CHECK(r.diag.attempts[0].error == errc::first_byte_timeout);
        CHECK(r.diag.attempts[1].waited >= planned);
    }
}

TEST_CASE("retries: an error whose body does not come does not shorten the wait after it")
{
    serin::mock::provider server;
    server.on_next(behavior().with_status(429).with_header("retry-after-ms", "700").stall_after(0));
    outcome const r = chat_once(upstreams_at({server.base_url()}), ask());
    CAPTURE(trail(r.diag));
    REQUIRE(r.diag.attempts.size() == 2);
    CHECK(r.diag.attempts[0].error == errc::rate_limited);
    CHECK(r.diag.attempts[1].waited >= 700ms);
}

// ---- Ends between attempts

namespace {

// A call whose first attempt fails, so that it waits for the second.
class waiting_call
{
public:
    explicit waiting_call(bool stream) : streamed(stream)
    {
        server.set_default(status(429).with_retry_after("50"));
        auto p = upstreams_at({server.base_url()});
        p.log = [this](serin::log_level, std::string_view line) {
            // Runs after the handler that logs this, which begins the wait.
            if (line.find("failed: next a in 50") != std::string_view::npos)
                asio::post(*context, [this] { context->stop(); });
        };
        client.emplace(context->get_executor(), p);
    }

    // False: the call has not come so far.
    bool start_and_wait()
    {
        if (streamed)
            client->async_stream(ask(), diag,
                asio::bind_cancellation_slot(
                    signal.slot(), [this](serin::error_code e, serin::chat_stream) { ec = e; }));
        else
            client->async_chat(ask(), diag,
                asio::bind_cancellation_slot(
                    signal.slot(), [this](serin::error_code e, serin::chat_response) { ec = e; }));
        auto const began = std::chrono::steady_clock::now();
        context->run_for(10s);
        return since(began) < 9s && !ec;
    }

    // Whether nothing is left to do at once.
    bool ends()
    {
        auto const began = std::chrono::steady_clock::now();
        context->restart();
        context->run_for(20s);
        return context->stopped() && since(began) < 10s;
    }

    bool const streamed;
    serin::mock::provider server;
    std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();
    std::optional<serin::client> client;
    asio::cancellation_signal signal;
    serin::diagnostics diag;
    std::optional<serin::error_code> ec;
};

} // namespace

TEST_CASE("retries: cancelled while waiting")
{
    waiting_call c(GENERATE(false, true));
    REQUIRE(c.start_and_wait());
    SECTION("by its slot")
    {
        c.signal.emit(GENERATE(
            asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal));
    }
    SECTION("by the client")
    {
        c.client->cancel();
    }
    SECTION("by the end of the client")
    {
        c.client.reset();
    }
    CHECK(c.ends());
    REQUIRE(c.ec);
    CHECK(*c.ec == asio::error::operation_aborted);
    CHECK(asked(c.diag) == "a");
    CHECK(c.diag.attempts[0].error == errc::rate_limited);
    CHECK(c.server.request_count() == 1);
    if (c.client)
        CHECK(c.client->connections().live <= 1);
}

TEST_CASE("retries: the context ends while a call waits")
{
    waiting_call c(GENERATE(false, true));
    REQUIRE(c.start_and_wait());
    c.client.reset(); // It must go first; what it cancels does not run any more
    c.context.reset();
    CHECK_FALSE(c.ec);
}

TEST_CASE("retries: the context ends with a client in a coroutine of its own that waits")
{
    serin::mock::provider server;
    server.set_default(status(429).with_retry_after("50"));
    auto context = std::make_unique<asio::io_context>();
    auto p = upstreams_at({server.base_url()});
    bool waits = false;
    p.log = [&](serin::log_level, std::string_view line) {
        if (line.find("failed: next a in 50") != std::string_view::npos)
            asio::post(*context, [&] {
                waits = true;
                context->stop();
            });
    };
    auto body = [](asio::io_context& ctx, serin::client_params params, bool streamed) -> asio::awaitable<void> {
        serin::client client(ctx.get_executor(), std::move(params));
        stream_outcome r;
        if (streamed)
            co_await read_stream(client, ask(), r);
        else
            co_await client.async_chat(ask(), asio::use_awaitable);
    };
    asio::co_spawn(*context, body(*context, p, GENERATE(false, true)), asio::detached);
    context->run_for(10s);
    REQUIRE(waits);
    context.reset();
}

TEST_CASE("retries: cancelled during an attempt")
{
    bool const streamed = GENERATE(false, true);
    std::size_t const attempt = GENERATE(1u, 2u);
    auto const type =
        GENERATE(asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal);
    serin::mock::provider server;
    if (attempt == 2)
        server.on_next(status(500));
    server.set_default(behavior().delayed(serin::mock::forever));
    auto p = upstreams_at({server.base_url()});
    quick_session s(p);
    asio::cancellation_signal signal;
    serin::diagnostics diag;
    std::optional<serin::error_code> result;
    if (streamed)
        s.client.async_stream(ask(), diag,
            asio::bind_cancellation_slot(signal.slot(), [&](serin::error_code e, serin::chat_stream) { result = e; }));
    else
        s.client.async_chat(ask(), diag,
            asio::bind_cancellation_slot(
                signal.slot(), [&](serin::error_code e, serin::chat_response) { result = e; }));
    while (server.request_count() < attempt)
        s.context.run_one_for(10ms);
    signal.emit(type);
    s.finish();
    REQUIRE(result);
    CHECK(*result == asio::error::operation_aborted);
    REQUIRE(diag.attempts.size() == attempt);
    CHECK(diag.attempts.back().error == asio::error::operation_aborted);
    CHECK(diag.gave_up == give_up::not_retryable);
    CHECK(s.client.connections().live == 0);
    CHECK(server.request_count() == attempt);

    // The client can be used again.
    server.set_default(behavior());
    CHECK_FALSE(s.call(streamed).ec);
}

// ---- What is said about it

TEST_CASE("retries: parameters that mean nothing are refused")
{
    struct row
    {
        char const* name;
        void (*spoil)(serin::client_params&);
    };
    row const table[] = {
        {"no attempt", [](serin::client_params& p) { p.retry.max_attempts = 0; }},
        {"fewer than none", [](serin::client_params& p) { p.retry.max_attempts = -1; }},
        {"base_delay", [](serin::client_params& p) { p.retry.base_delay = -1ms; }},
        {"max_delay", [](serin::client_params& p) { p.retry.max_delay = -1ms; }},
        {"max_retry_after", [](serin::client_params& p) { p.retry.max_retry_after = -1ms; }},
        {"budget_ratio", [](serin::client_params& p) { p.retry.budget_ratio = -0.1; }},
        {"budget_ratio NaN",
            [](serin::client_params& p) { p.retry.budget_ratio = std::numeric_limits<double>::quiet_NaN(); }},
        {"budget_per_second", [](serin::client_params& p) { p.retry.budget_per_second = -1; }},
        {"hedge.delay", [](serin::client_params& p) { p.hedge.delay = -1ms; }},
        {"requests_per_minute", [](serin::client_params& p) { p.upstreams[0].limits.requests_per_minute = -1; }},
        {"tokens_per_minute",
            [](serin::client_params& p) {
                p.upstreams[0].limits.tokens_per_minute = std::numeric_limits<double>::quiet_NaN();
            }},
        {"no upstream", [](serin::client_params& p) { p.upstreams.clear(); }},
        {"total", [](serin::client_params& p) { p.timeouts.total = 0s; }},
        {"the same name twice", [](serin::client_params& p) { p.upstreams.push_back(p.upstreams[0]); }},
    };
    asio::io_context context;
    for (row const& r : table)
    {
        auto p = upstreams_at({"http://127.0.0.1:1/v1"});
        r.spoil(p);
        CAPTURE(r.name);
        serin::error_code ec;
        std::string message;
        try
        {
            serin::client c(context.get_executor(), p);
        }
        catch (serin::api_error const& e)
        {
            ec = e.code();
            message = e.diag().message;
        }
        CHECK(ec == errc::invalid_argument);
        CHECK_FALSE(message.empty());
    }
    auto p = upstreams_at({"http://127.0.0.1:1/v1"});
    p.retry.base_delay = p.retry.max_delay = p.retry.max_retry_after = 0s;
    p.retry.budget_ratio = 0;
    p.retry.budget_per_second = 0;
    p.retry.max_attempts = std::numeric_limits<int>::max();
    CHECK_NOTHROW(serin::client(context.get_executor(), p));
}

TEST_CASE("retries: the trail says what every attempt came to")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    first.on_next(status(503).delayed(30ms).with_error("busy", "", "overloaded"));
    second.on_next(behavior().close_before_head());
    first.on_next(status(429).with_error("slow down", "", "").with_header("x-request-id", "req-429"));
    quick_session s(upstreams_at({first.base_url(), second.base_url()}));
    outcome const r = s.call(streamed);
    CAPTURE(trail(r.diag));
    CHECK_FALSE(r.ec);
    auto const& trail = r.diag.attempts;
    REQUIRE(trail.size() == 4);
    CHECK(asked(r.diag) == "abab"); // Fewest attempts first
    CHECK(trail[0].status == 503);
    CHECK(trail[0].error == errc::overloaded);
    CHECK(trail[0].duration >= 30ms);
    CHECK(trail[0].duration < 20s);
    CHECK(trail[0].waited == 0ms);
    CHECK(trail[1].status == 0);
    CHECK(trail[1].error == errc::connection_lost);
    CHECK(trail[1].waited == 0ms);
    CHECK(trail[2].status == 429);
    CHECK(trail[2].waited > 0ms);
    CHECK(trail[3].status == 200);
    CHECK_FALSE(trail[3].error);
    CHECK(trail[3].waited > 0ms);
    // Nothing of the failures is said of the answer.
    CHECK(r.diag.status == 200);
    CHECK(r.diag.message.empty());
    CHECK(r.diag.code.empty());
    CHECK(r.diag.body.empty());
    CHECK_FALSE(r.diag.retry_after);
    CHECK(r.diag.upstream == r.response.upstream);
    CHECK(r.diag.request_id == r.response.request_id);
    CHECK(r.diag.gave_up == give_up::none);
}

TEST_CASE("retries: a failure is described by its last attempt")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_default(status(503).with_error("busy", "", "overloaded").with_retry_after("5"));
    second.set_default(status(400).with_error("bad", "", "what"));
    quick_session s(upstreams_at({first.base_url(), second.base_url()}));
    outcome const r = s.call(streamed);
    CHECK(r.ec == errc::invalid_request);
    CHECK(asked(r.diag) == "ab");
    CHECK(r.diag.status == 400);
    CHECK(r.diag.message == "bad");
    CHECK(r.diag.code == "what");
    CHECK(r.diag.upstream == "b");
    CHECK_FALSE(r.diag.retry_after);
    CHECK(r.diag.gave_up == give_up::not_retryable);
}

TEST_CASE("retries: every upstream gets its own key and its own model")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider first;
    serin::mock::provider second;
    first.set_keys({"sk-first-0123456789"});
    second.set_keys({"sk-second-0123456789"});
    auto p = upstreams_at({first.base_url(), second.base_url()});
    p.upstreams[0].keys = serin::fixed_key(serin::secret("sk-first-0123456789"));
    p.upstreams[1].keys = serin::fixed_key(serin::secret("sk-second-0123456789"));
    p.upstreams[0].model = "model-first";
    p.upstreams[1].model = "model-second";
    // Both say both keys to us.
    std::string const leak = "keys sk-first-0123456789 and sk-second-0123456789";
    first.set_default(status(500).with_error(leak, "", ""));
    second.on_next(status(500).with_error(leak, "", ""));
    second.on_next(status(400).with_error(leak, "", ""));
    quick_session s(p);
    outcome const r = s.call(streamed);
    CHECK(r.ec == errc::invalid_request);
    CHECK(asked(r.diag) == "abab");
    CHECK(r.diag.model == "model-second");
    for (std::string const& text : {r.diag.message, r.diag.body, serin::describe(r.ec, r.diag)})
    {
        CHECK(text.find("sk-first") == std::string::npos);
        CHECK(text.find("sk-second") == std::string::npos);
    }
    REQUIRE(first.request_count() == 2);
    REQUIRE(second.request_count() == 2);
    for (auto const& request : first.requests())
    {
        CHECK(request.headers.find("authorization") == "Bearer sk-first-0123456789");
        CHECK(request.model == "model-first");
        CHECK(request.body.find("sk-") == std::string::npos);
    }
    for (auto const& request : second.requests())
    {
        CHECK(request.headers.find("authorization") == "Bearer sk-second-0123456789");
        CHECK(request.model == "model-second");
        CHECK(request.body.find("model-first") == std::string::npos);
    }
}

// ---- Many

TEST_CASE("retries: ten thousand requests of which one in twenty meets a fault")
{
    constexpr int requests = 10'000;
    constexpr int at_once = 64;
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(1));
    server.set_faults({serin::mock::fault_share(0.025, status(429)), serin::mock::fault_share(0.025, status(500))}, 4);
    quick_session s(upstreams_at({server.base_url()}));
    int begun = 0;
    int succeeded = 0;
    int ended = 0;
    std::function<void()> next = [&] {
        if (begun == requests)
            return;
        ++begun;
        s.client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response) {
            succeeded += !ec;
            ++ended;
            next();
        });
    };
    for (int i = 0; i < at_once; ++i)
        next();
    auto const began = std::chrono::steady_clock::now();
    s.context.run_for(300s);
    auto const took = std::chrono::duration<double>(since(began)).count();

    double const success = 100.0 * succeeded / requests;
    double const attempts = static_cast<double>(server.request_count()) / requests;
    std::printf("5 %% faults, %d requests, %d at a time: success %.3f %%, mean attempts %.4f, %.1f s\n", requests,
        at_once, success, attempts, took);
    REQUIRE(ended == requests);
    CHECK(success >= 99.9);
    CHECK(attempts > 1.04); // There were faults
    CHECK(attempts <= 1.08);
}
