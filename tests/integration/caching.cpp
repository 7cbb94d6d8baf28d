// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The cache of answers: repeated requests, identical ones at the same time, and what is not kept.

#include "answers.hpp"
#include "catch.hpp"
#include "jumping_clock.hpp"
#include "tries.hpp"

#include <serin/core/with_diagnostics.hpp>
#include <serin/mock/provider.hpp>
#include <serin/observe/observer.hpp>
#include <serin/policy/cache.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using serin::cache_use;
using serin::errc;
using serin::mock::behavior;
using serin::mock::forever;

namespace {

serin::client_params caching(std::string base_url)
{
    auto p = params_for(std::move(base_url));
    p.cache.emplace();
    return p;
}

// What a stream came to.
class streamed
{
public:
    serin::error_code ec;
    std::vector<std::string> texts;
    serin::chat_response response;
    serin::diagnostics diag;
    bool ended = false;

    streamed() {}

    std::string text() const
    {
        std::string all;
        for (auto const& t : texts)
            all += t;
        return all;
    }
};

asio::awaitable<void> read_stream(serin::client& client, serin::chat_request request, streamed& out)
{
    auto opened = co_await client.async_stream(std::move(request), out.diag, asio::as_tuple(asio::use_awaitable));
    out.ec = std::get<0>(opened);
    while (!out.ec)
    {
        auto next = co_await std::get<1>(opened).async_next(out.diag, asio::as_tuple(asio::use_awaitable));
        out.ec = std::get<0>(next);
        if (out.ec || !std::get<1>(next))
            break;
        if (std::get<1>(next)->restarted)
            out.texts.clear();
        if (!std::get<1>(next)->text.empty())
            out.texts.emplace_back(std::get<1>(next)->text);
    }
    if (std::get<1>(opened))
        out.response = std::get<1>(opened).response();
    out.ended = true;
}

streamed stream(session& s, serin::chat_request request = ask())
{
    streamed out;
    asio::co_spawn(s.context, read_stream(s.client, std::move(request), out), asio::detached);
    s.run();
    REQUIRE(out.ended);
    return out;
}

// Begins a chat whose outcome is there when the session has run.
void begin(session& s, outcome& out, serin::chat_request request = ask(), asio::cancellation_slot slot = {})
{
    s.client.async_chat(std::move(request), out.diag,
        asio::bind_cancellation_slot(slot, [&out](serin::error_code ec, serin::chat_response response) {
            out.ec = ec;
            out.response = std::move(response);
        }));
}

// A store of the test's own: as slow or as broken as it wants.
class test_store final : public serin::cache_store
{
public:
    void get(std::string_view key, std::function<void(value)> done) override
    {
        ++gets;
        if (throws)
            throw std::runtime_error("broken");
        if (hangs)
        {
            waiting.push_back(std::move(done));
            return;
        }
        auto const found = texts.find(std::string(key));
        done(found == texts.end() ? nullptr : found->second);
    }

    void put(std::string_view key, value text, std::chrono::milliseconds ttl) override
    {
        ++puts;
        last_ttl = ttl;
        if (throws)
            throw std::runtime_error("broken");
        texts[std::string(key)] = std::move(text);
    }

    bool throws = false;
    bool hangs = false;
    int gets = 0;
    int puts = 0;
    std::chrono::milliseconds last_ttl{};
    std::map<std::string, value> texts;
    std::vector<std::function<void(value)>> waiting;
};

// Counts what the cache had, and calls. The session's one thread tells it.
class cache_watcher final : public serin::observer
{
public:
    void on_cache_looked_up(serin::cache_looked_up const& e) override
    {
        ++(e.found == serin::cache_lookup::hit ? hits : e.found == serin::cache_lookup::miss ? misses : joined);
    }

    void on_call_started(serin::call_started const&) override { ++calls; }
    void on_call_ended(serin::call_ended const&) override { ++ended; }

    int hits = 0;
    int misses = 0;
    int joined = 0;
    int calls = 0;
    int ended = 0;
};

} // namespace

// ---- Repeated requests

TEST_CASE("caching: nothing is kept unless it is asked for")
{
    serin::mock::provider server;
    session s(params_for(server.base_url()));
    s.chat();
    CHECK_FALSE(s.chat().response.from_cache);
    CHECK(server.request_count() == 2);
    CHECK(s.client.cache().misses == 0);
}

TEST_CASE("caching: a request that comes again is answered with what is kept")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    auto const first = s.chat();
    auto const again = s.chat();
    REQUIRE_FALSE(again.ec);
    CHECK(server.request_count() == 1);
    CHECK_FALSE(first.response.from_cache);
    CHECK(again.response.from_cache);
    CHECK(again.response.text() == first.response.text());
    CHECK(again.response.id == first.response.id);
    CHECK(again.response.upstream == "default");
    CHECK(again.response.request_id == first.response.request_id);
    REQUIRE(again.response.usage);
    CHECK(again.response.usage->total_tokens == first.response.usage->total_tokens);
    CHECK(first.diag.attempts.size() == 1);
    CHECK(again.diag.attempts.empty());
    auto const n = s.client.cache();
    CHECK(n.hits == 1);
    CHECK(n.misses == 1);
    CHECK(n.stored == 1);
    CHECK(n.size.entries == 1);
    CHECK(n.size.bytes > 0);
    CHECK(n.hit_rate() == 0.5);
}

TEST_CASE("caching: an observer is told of each look-up, and of calls only where a server is asked")
{
    bool const streamed = GENERATE(false, true);
    serin::mock::provider server;
    auto const seen = std::make_shared<cache_watcher>();
    auto params = caching(server.base_url());
    params.observer = seen;
    session s(params);
    auto const ask_thrice = [&] {
        if (!streamed)
        {
            std::vector<outcome> results(3);
            for (outcome& r : results)
                begin(s, r);
            s.run();
            return;
        }
        std::vector<::streamed> results(3);
        for (auto& r : results)
            asio::co_spawn(s.context, read_stream(s.client, ask(), r), asio::detached);
        s.run();
    };

    ask_thrice();
    CHECK(seen->misses == 1);
    CHECK(seen->joined == 2);
    CHECK(seen->hits == 0);
    CHECK(seen->calls == 1);
    ask_thrice();
    CHECK(seen->misses == 1);
    CHECK(seen->hits + seen->joined == 5);
    CHECK(seen->hits >= 1);
    CHECK(seen->calls == 1);
    CHECK(seen->ended == 1);
    auto request = ask();
    request.cache = cache_use::bypass;
    s.chat(request);
    CHECK(seen->hits + seen->misses + seen->joined == 6); // Nobody asked the cache
    CHECK(seen->calls == 2);
}

TEST_CASE("caching: another request, tenant or upstream group is another answer")
{
    serin::mock::provider server;
    auto p = caching(server.base_url());
    p.models.emplace_back();
    p.models[0].name = "alias";
    p.models[0].upstreams.emplace_back();
    p.models[0].upstreams[0].upstream = "default";
    session s(p);
    std::vector<serin::chat_request> all(6, ask());
    all[1].tenant = "one";
    all[2].tenant = "two";
    all[3].max_tokens = 5;
    all[4].model = "alias";
    all[5].user("And now?");
    for (auto const& request : all)
        CHECK_FALSE(s.chat(request).response.from_cache);
    CHECK(server.request_count() == 6);
    for (auto const& request : all)
        CHECK(s.chat(request).response.from_cache);
    CHECK(server.request_count() == 6);
}

TEST_CASE("caching: the same JSON in another form is the same request")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    auto request = ask();
    request.extra = R"({"a": {"x": 1, "y": [1, 2]}, "b": "\u0041"})";
    s.chat(request);
    request.extra = R"({ "b":"A","a":{"y":[1,2],"x":1} })";
    CHECK(s.chat(request).response.from_cache);
    request.extra = R"({"b":"A","a":{"y":[1,2],"x":1.0}})";
    CHECK_FALSE(s.chat(request).response.from_cache);
}

TEST_CASE("caching: a call can bypass the cache, or renew what is kept")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    server.on_next(behavior().with_text("one"));
    server.on_next(behavior().with_text("two"));
    server.on_next(behavior().with_text("three"));
    CHECK(s.chat().response.text() == "one");
    auto request = ask();
    request.cache = cache_use::bypass;
    CHECK(s.chat(request).response.text() == "two");
    CHECK(s.chat().response.text() == "one");
    request.cache = cache_use::refresh;
    CHECK(s.chat(request).response.text() == "three");
    CHECK(s.chat().response.text() == "three");
    CHECK(s.client.cache().bypassed == 1);
    CHECK(server.request_count() == 3);
}

TEST_CASE("caching: requests that want chance are kept only if that is asked for")
{
    serin::mock::provider server;
    auto request = ask();
    request.temperature = 0.7;
    {
        session s(caching(server.base_url()));
        s.chat(request);
        CHECK_FALSE(s.chat(request).response.from_cache);
        CHECK(s.client.cache().bypassed == 2);
        // Also where the caller puts it beside the library's own members.
        auto hidden = ask();
        hidden.extra = R"({"temperature":1})";
        s.chat(hidden);
        CHECK_FALSE(s.chat(hidden).response.from_cache);
        request.temperature = 0;
        s.chat(request);
        CHECK(s.chat(request).response.from_cache);
    }
    auto p = caching(server.base_url());
    p.cache->any_temperature = true;
    session s(p);
    request.temperature = 0.7;
    s.chat(request);
    CHECK(s.chat(request).response.from_cache);
}

TEST_CASE("caching: an answer is good for its time")
{
    serin::mock::provider server;
    auto const clock = std::make_shared<jumping_clock>();
    asio::io_context context;
    auto p = caching(server.base_url());
    p.cache->ttl = 10s;
    serin::client client(std::make_shared<serin::client_impl>(context.get_executor(), p, clock));
    auto const from_cache = [&] {
        std::optional<bool> kept;
        client.async_chat(ask(), [&](serin::error_code, serin::chat_response r) { kept = r.from_cache; });
        context.restart();
        context.run_for(60s);
        return kept.value();
    };
    CHECK_FALSE(from_cache());
    clock->jump(5s);
    CHECK(from_cache());
    clock->jump(5s);
    CHECK_FALSE(from_cache());
}

TEST_CASE("caching: failures and answers that did not end well are not kept")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    std::vector<behavior> const bad{behavior().with_status(500), behavior().with_status(400),
        behavior().with_finish_reason("content_filter"), behavior().without_finish_reason(), behavior().cut_after(2)};
    for (behavior const& b : bad)
        server.on_next(b);
    for (std::size_t i = 0; i < bad.size(); ++i)
        CHECK_FALSE(s.chat().response.from_cache);
    CHECK(server.request_count() == bad.size());
    CHECK(s.client.cache().stored == 0);

    // Streams that break, and a stream that the user leaves.
    server.on_next(behavior().cut_after(3));
    server.on_next(behavior().error_after(3));
    CHECK(stream(s).ec);
    CHECK(stream(s).ec);
    s.client.async_stream(ask(), [](serin::error_code ec, serin::chat_stream) { CHECK_FALSE(ec); });
    s.run();
    CHECK(s.client.cache().stored == 0);
    CHECK(s.client.cache().hits == 0);
}

TEST_CASE("caching: an answer of a fallback is not kept under the name of who failed")
{
    serin::mock::provider primary;
    serin::mock::provider other;
    primary.on_next(behavior().with_status(500));
    other.set_default(behavior().with_text("poor"));
    auto p = upstreams_at({primary.base_url(), other.base_url()});
    p.cache.emplace();
    p.retry.max_attempts = 1;
    p.models.resize(2);
    p.models[0].name = "good";
    p.models[0].upstreams.emplace_back();
    p.models[0].upstreams[0].upstream = "a";
    p.models[0].fallbacks.on_failure = {"poor"};
    p.models[1].name = "poor";
    p.models[1].upstreams.emplace_back();
    p.models[1].upstreams[0].upstream = "b";
    session s(p);
    CHECK(s.chat(ask("good")).response.text() == "poor");
    auto const second = s.chat(ask("good"));
    CHECK_FALSE(second.response.from_cache);
    CHECK(second.response.upstream == "a");
    CHECK(s.chat(ask("good")).response.from_cache);
}

TEST_CASE("caching: bounds on entries, bytes and the size of one answer")
{
    serin::mock::provider server;
    auto p = caching(server.base_url());
    p.cache->max_entries = 2;
    {
        session s(p);
        for (int i = 0; i < 3; ++i)
            s.chat(ask("m" + std::to_string(i)));
        CHECK(s.client.cache().size.entries == 2);
        CHECK(s.client.cache().size.evictions == 1);
        CHECK_FALSE(s.chat(ask("m0")).response.from_cache);
    }
    p.cache->max_entry_bytes = 100;
    session s(p);
    s.chat();
    CHECK(s.client.cache().stored == 0);
}

TEST_CASE("caching: parameters that make no sense are refused")
{
    asio::io_context context;
    auto const refused = [&](auto change) {
        auto p = caching("http://127.0.0.1:1/v1");
        change(*p.cache);
        try
        {
            serin::client client(context.get_executor(), p);
        }
        catch (serin::api_error const& e)
        {
            return e.code() == errc::invalid_argument;
        }
        return false;
    };
    CHECK(refused([](auto& c) { c.ttl = 0s; }));
    CHECK(refused([](auto& c) { c.max_entries = 0; }));
    CHECK(refused([](auto& c) { c.max_bytes = 0; }));
    CHECK(refused([](auto& c) { c.store_timeout = 0s; }));
    CHECK_FALSE(refused([](auto&) {}));
}

TEST_CASE("caching: reconfiguring keeps what is kept, for those who still may answer")
{
    serin::mock::provider server;
    auto p = caching(server.base_url());
    session s(p);
    s.chat();
    serin::diagnostics diag;
    p.retry.max_attempts = 3;
    REQUIRE_FALSE(s.client.reconfigure(p, diag));
    CHECK(s.chat().response.from_cache);
    p.upstreams[0].model = "another";
    REQUIRE_FALSE(s.client.reconfigure(p, diag));
    CHECK_FALSE(s.chat().response.from_cache);
    p.cache.reset();
    REQUIRE_FALSE(s.client.reconfigure(p, diag));
    CHECK_FALSE(s.chat().response.from_cache);
    p.cache.emplace();
    p.cache->ttl = -1s;
    CHECK(s.client.reconfigure(p, diag) == errc::invalid_argument);
    CHECK(diag.message.find("ttl") != std::string::npos);
}

TEST_CASE("caching: a request that cannot be sent fails as it does without a cache")
{
    session s(caching("http://127.0.0.1:1/v1"));
    auto request = ask();
    request.temperature = 9;
    auto const r = s.chat(request);
    CHECK(r.ec == errc::invalid_argument);
    CHECK(r.diag.message.find("temperature") != std::string::npos);
}

// ---- Streams

TEST_CASE("caching: a stream that is kept is given piece by piece, as it came")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    auto const first = stream(s);
    REQUIRE_FALSE(first.ec);
    REQUIRE(first.texts.size() == 8);
    CHECK_FALSE(first.response.from_cache);
    auto const again = stream(s);
    REQUIRE_FALSE(again.ec);
    CHECK(server.request_count() == 1);
    CHECK(again.texts == first.texts);
    CHECK(again.response.from_cache);
    CHECK(again.response.text() == first.response.text());
    CHECK(again.response.finish_reason() == "stop");
    CHECK(again.response.id == first.response.id);
    REQUIRE(again.response.usage);
    CHECK(again.response.usage->completion_tokens == first.response.usage->completion_tokens);
    CHECK(s.client.cache().hits == 1);

    // The same answer as a whole.
    auto const whole = s.chat();
    CHECK(whole.response.from_cache);
    CHECK(whole.response.text() == first.text());
    CHECK(server.request_count() == 1);
}

TEST_CASE("caching: an answer that came whole can be asked for as a stream")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    auto const whole = s.chat();
    auto const again = stream(s);
    CHECK(again.response.from_cache);
    CHECK(again.texts == std::vector<std::string>{whole.response.text()});
    CHECK(again.response.usage->total_tokens == whole.response.usage->total_tokens);
    CHECK(server.request_count() == 1);
}

TEST_CASE("caching: tool calls and reasoning come back, whole and in pieces")
{
    serin::mock::provider server;
    server.set_default(behavior().with_reasoning(2).with_tool_call("f", R"({"a":1,"b":[true,null]})"));
    session s(caching(server.base_url()));
    auto const first = stream(s);
    REQUIRE_FALSE(first.ec);
    auto const again = stream(s);
    auto const whole = s.chat();
    CHECK(server.request_count() == 1);
    for (auto const* r : {&again.response, &whole.response})
    {
        CHECK(r->from_cache);
        CHECK(r->reasoning() == first.response.reasoning());
        REQUIRE(r->tool_calls().size() == 1);
        CHECK(r->tool_calls()[0].id == first.response.tool_calls()[0].id);
        CHECK(r->tool_calls()[0].arguments == R"({"a":1,"b":[true,null]})");
        CHECK(r->finish_reason() == "tool_calls");
    }
}

TEST_CASE("caching: what a kept stream has given so far is in its response, and try_next gives the next")
{
    serin::mock::provider server;
    session s(caching(server.base_url()));
    stream(s);
    bool checked = false;
    auto const body = [](serin::client& client, bool& done) -> asio::awaitable<void> {
        auto request = ask();
        auto stream = co_await client.async_stream(std::move(request));
        CHECK(stream.response().from_cache);
        CHECK(stream.response().text().empty());
        CHECK_FALSE(stream.response().id.empty());
        auto const delta = co_await stream.async_next();
        CHECK(stream.response().text() == delta->text);
        CHECK(stream.response().finish_reason().empty());
        int more = 0;
        while (stream.try_next())
            ++more;
        CHECK(more >= 7);
        auto const end = co_await stream.async_next();
        CHECK_FALSE(end);
        CHECK(stream.response().finish_reason() == "stop");
        auto const once_more = co_await stream.async_next();
        CHECK_FALSE(once_more);
        done = true;
    };
    asio::co_spawn(s.context, body(s.client, checked), asio::detached);
    s.run();
    CHECK(checked);
}

TEST_CASE("caching: a stream that was restarted is kept from its restart on")
{
    serin::mock::provider server;
    server.on_next(behavior().with_text("the old answer").cut_after(2));
    server.on_next(behavior().with_text("a new one"));
    auto p = caching(server.base_url());
    p.stream.recovery = serin::stream_recovery::restart;
    p.retry.max_attempts = 2;
    session s(p);
    auto const first = stream(s);
    REQUIRE_FALSE(first.ec);
    CHECK(first.text() == "a new one");
    auto const again = stream(s);
    CHECK(again.response.from_cache);
    CHECK(again.texts == first.texts);
    CHECK(again.response.text() == "a new one");
}

// ---- Identical calls at the same time

TEST_CASE("caching: a hundred identical calls make one request")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(50ms));
    session s(caching(server.base_url()));
    std::vector<outcome> results(100);
    for (outcome& r : results)
        begin(s, r);
    s.run();
    CHECK(server.request_count() == 1);
    int own = 0;
    for (outcome const& r : results)
    {
        CHECK_FALSE(r.ec);
        CHECK(r.response.text() == results[0].response.text());
        CHECK(r.diag.attempts.size() == 1);
        own += r.response.from_cache ? 0 : 1;
    }
    CHECK(own == 1);
    auto const n = s.client.cache();
    CHECK(n.misses == 1);
    CHECK(n.shared == 99);
    CHECK(n.hits == 0);
    CHECK(n.stored == 1);
}

TEST_CASE("caching: a hundred identical calls on several threads make one request")
{
    serin::mock::provider server;
    asio::io_context context;
    serin::client client(context.get_executor(), caching(server.base_url()));
    std::atomic<int> good{0};
    for (int i = 0; i < 50; ++i)
    {
        asio::post(context, [&] {
            client.async_chat(ask(), [&](serin::error_code ec, serin::chat_response const& r) {
                good += !ec && r.text().starts_with("tok1") ? 1 : 0;
            });
        });
        asio::post(context, [&] {
            asio::co_spawn(
                context,
                [](serin::client& c, std::atomic<int>& n) -> asio::awaitable<void> {
                    streamed out;
                    auto request = ask();
                    co_await read_stream(c, std::move(request), out);
                    n += !out.ec && out.texts.size() == 8 ? 1 : 0;
                }(client, good),
                asio::detached);
        });
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] { context.run_for(60s); });
    for (auto& t : threads)
        t.join();
    CHECK(good == 100);
    // One for the whole answers and one for the streams, which the first to come may spare the other.
    CHECK(server.request_count() <= 2);
}

TEST_CASE("caching: a hundred identical streams make one request and all get its pieces")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(20ms).paced(2ms));
    session s(caching(server.base_url()));
    std::vector<streamed> results(100);
    for (streamed& r : results)
        asio::co_spawn(s.context, read_stream(s.client, ask(), r), asio::detached);
    s.run();
    CHECK(server.request_count() == 1);
    int own = 0;
    for (streamed const& r : results)
    {
        CHECK_FALSE(r.ec);
        CHECK(r.texts.size() == 8);
        CHECK(r.text() == results[0].text());
        CHECK(r.response.text() == r.text());
        CHECK(r.response.usage);
        own += r.response.from_cache ? 0 : 1;
    }
    CHECK(own == 1);
    CHECK(s.client.cache().shared == 99);
}

TEST_CASE("caching: if the one request fails each call gets its error and its diagnostics")
{
    serin::mock::provider server;
    server.set_default(behavior().with_status(503).with_error("no more", "t", "c").delayed(20ms));
    session s(caching(server.base_url()));
    std::vector<outcome> results(20);
    for (outcome& r : results)
        begin(s, r);
    std::vector<streamed> streams(20);
    for (streamed& r : streams)
        asio::co_spawn(s.context, read_stream(s.client, ask(), r), asio::detached);
    s.run();
    CHECK(server.request_count() == 2); // One for whole answers, one for streams
    for (outcome const& r : results)
    {
        CHECK(r.ec == errc::overloaded);
        CHECK(r.diag.status == 503);
        CHECK(r.diag.message == "no more");
        CHECK(r.diag.attempts.size() == 1);
    }
    for (streamed const& r : streams)
    {
        CHECK(r.ec == errc::overloaded);
        CHECK(r.diag.message == "no more");
    }
    // It is asked again by the next.
    server.set_default(behavior());
    CHECK_FALSE(s.chat().ec);
}

TEST_CASE("caching: a stream that breaks breaks for all, with what had come")
{
    serin::mock::provider server;
    server.on_next(behavior().paced(2ms).cut_after(3));
    session s(caching(server.base_url()));
    std::vector<streamed> results(5);
    for (streamed& r : results)
        asio::co_spawn(s.context, read_stream(s.client, ask(), r), asio::detached);
    s.run();
    for (streamed const& r : results)
    {
        CHECK(r.ec == errc::stream_truncated);
        CHECK(r.texts.size() == 3);
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == r.text());
        CHECK(r.response.text() == r.text());
    }
}

TEST_CASE("caching: when the call that began the request is cancelled, the others go on with it")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(100ms));
    session s(caching(server.base_url()));
    asio::cancellation_signal leader;
    std::vector<outcome> results(10);
    begin(s, results[0], ask(), leader.slot());
    for (std::size_t i = 1; i < results.size(); ++i)
        begin(s, results[i]);
    std::thread canceller([&] {
        server.wait_until([&] { return server.request_count() == 1; });
        asio::post(s.context, [&] { leader.emit(asio::cancellation_type::terminal); });
    });
    s.run();
    canceller.join();
    CHECK(results[0].ec == asio::error::operation_aborted);
    for (std::size_t i = 1; i < results.size(); ++i)
        CHECK_FALSE(results[i].ec);
    CHECK(server.request_count() == 1);
    CHECK_FALSE(server.requests()[0].client_closed_early);
}

TEST_CASE("caching: when all calls are cancelled the request is too")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(forever));
    session s(caching(server.base_url()));
    std::vector<asio::cancellation_signal> signals(5);
    std::vector<outcome> results(5);
    for (std::size_t i = 0; i < results.size(); ++i)
        begin(s, results[i], ask(), signals[i].slot());
    std::thread canceller([&] {
        server.wait_until([&] { return server.request_count() == 1; });
        asio::post(s.context, [&] {
            for (auto& signal : signals)
                signal.emit(asio::cancellation_type::total);
        });
    });
    s.run();
    canceller.join();
    for (outcome const& r : results)
        CHECK(r.ec == asio::error::operation_aborted);
    CHECK(server.wait_until([&] { return server.connections_open() == 0; }));
    // The next call begins anew.
    server.set_default(behavior());
    CHECK_FALSE(s.chat().ec);
    CHECK(server.request_count() == 2);
}

TEST_CASE("caching: a reader that leaves a shared stream, or does not read, holds nobody up")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(50).paced(1ms));
    session s(caching(server.base_url()));
    serin::chat_stream idle; // The first; its user does not read
    s.client.async_stream(ask(), [&](serin::error_code ec, serin::chat_stream opened) {
        CHECK_FALSE(ec);
        idle = std::move(opened);
        s.client.async_stream(ask(), [](serin::error_code error, serin::chat_stream) { CHECK_FALSE(error); });
    });
    streamed reading;
    asio::co_spawn(s.context, read_stream(s.client, ask(), reading), asio::detached);
    s.run();
    CHECK_FALSE(reading.ec);
    CHECK(reading.texts.size() == 50);
    CHECK(server.request_count() == 1);

    // He still gets all of it.
    streamed late;
    auto const body = [](serin::chat_stream& from, streamed& out) -> asio::awaitable<void> {
        while (auto delta = co_await from.async_next())
            out.texts.emplace_back(delta->text);
        out.ended = true;
    };
    asio::co_spawn(s.context, body(idle, late), asio::detached);
    s.run();
    CHECK(late.ended);
    CHECK(late.text() == reading.text());
}

TEST_CASE(
    "caching: cancelling the client ends shared calls and streams, and calls after it are not caught in their end")
{
    serin::mock::provider server;
    server.set_default(behavior().delayed(forever));
    session s(caching(server.base_url()));
    outcome before;
    streamed stream_before;
    outcome after;
    begin(s, before);
    asio::co_spawn(s.context, read_stream(s.client, ask(), stream_before), asio::detached);
    std::thread canceller([&] {
        server.wait_until([&] { return server.request_count() == 2; });
        server.set_default(behavior());
        asio::post(s.context, [&] {
            s.client.cancel();
            begin(s, after);
        });
    });
    s.run();
    canceller.join();
    CHECK(before.ec == asio::error::operation_aborted);
    CHECK(stream_before.ec == asio::error::operation_aborted);
    CHECK_FALSE(after.ec);
}

TEST_CASE("caching: calls with other deadlines do not share a request, but its answer")
{
    serin::mock::provider server;
    server.on_next(behavior().delayed(forever));
    server.set_default(behavior());
    session s(caching(server.base_url()));
    outcome hasty;
    outcome patient;
    auto request = ask();
    request.timeout = 50ms;
    begin(s, hasty, request);
    s.context.poll();
    REQUIRE(server.wait_until([&] { return server.request_count() == 1; }));
    begin(s, patient);
    s.run();
    CHECK(hasty.ec == errc::deadline_exceeded);
    CHECK(hasty.diag.attempts.size() == 1);
    CHECK_FALSE(patient.ec);
    CHECK(s.chat(request).response.from_cache);
}

TEST_CASE("caching: destroying the client or the context in the middle of shared calls and streams")
{
    serin::mock::provider server;
    server.set_default(behavior().with_tokens(50).paced(5ms));
    for (int step = 0; step < 40; ++step)
    {
        std::vector<outcome> results(3);
        std::vector<streamed> streams(3);
        bool const client_first = step % 2 == 0;
        {
            asio::io_context context;
            auto client = std::make_optional<serin::client>(context.get_executor(), caching(server.base_url()));
            for (outcome& r : results)
                client->async_chat(ask(), r.diag, [&r](serin::error_code ec, serin::chat_response) { r.ec = ec; });
            for (streamed& r : streams)
                asio::co_spawn(context, read_stream(*client, ask(), r), asio::detached);
            for (int i = 0; i < step; ++i)
                context.run_one_for(1ms);
            if (client_first)
            {
                client.reset();
                context.run_for(10s);
                CHECK(context.stopped());
            }
        }
    }
}

// ---- Stores

TEST_CASE("caching: clients share a store")
{
    serin::mock::provider server;
    auto p = caching(server.base_url());
    p.cache->store = serin::memory_cache_store();
    session one(p);
    session two(p);
    one.chat();
    CHECK(two.chat().response.from_cache);
    CHECK(stream(two).response.from_cache);
    CHECK(server.request_count() == 1);
}

TEST_CASE("caching: a store that hangs, throws or holds something else is a miss and no failure")
{
    serin::mock::provider server;
    auto const store = std::make_shared<test_store>();
    auto p = caching(server.base_url());
    p.cache->store = store;
    p.cache->ttl = 77s;
    p.cache->store_timeout = 20ms;
    session s(p);

    store->hangs = true;
    CHECK_FALSE(s.chat().ec);
    CHECK(store->puts == 1);
    CHECK(store->last_ttl == 77s);
    REQUIRE(store->waiting.size() == 1);
    store->waiting[0](nullptr); // Too late
    store->hangs = false;

    CHECK(s.chat().response.from_cache);
    for (auto& [key, text] : store->texts)
    {
        CHECK(key.size() == 64);
        text = std::make_shared<std::string const>("something else");
    }
    auto const r = s.chat();
    CHECK_FALSE(r.ec);
    CHECK_FALSE(r.response.from_cache);

    store->throws = true;
    auto const broken = s.chat();
    CHECK_FALSE(broken.ec);
    CHECK_FALSE(broken.response.from_cache);
    CHECK_FALSE(stream(s).ec);
}

TEST_CASE("caching: a store that answers later and from another thread is waited for")
{
    serin::mock::provider server;
    auto const store = std::make_shared<test_store>();
    auto p = caching(server.base_url());
    p.cache->store = store;
    p.cache->store_timeout = 30s;
    session s(p);
    s.chat();
    REQUIRE(store->texts.size() == 1);
    store->hangs = true;
    outcome again;
    begin(s, again);
    s.context.restart();
    s.context.poll();
    REQUIRE(store->waiting.size() == 1);
    std::thread other([&] { store->waiting[0](store->texts.begin()->second); });
    s.run();
    other.join();
    CHECK(again.response.from_cache);
    CHECK(server.request_count() == 1);
}
