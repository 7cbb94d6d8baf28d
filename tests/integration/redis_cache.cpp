// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/with_diagnostics.hpp>
#include <serin/redis/cache.hpp>

#include "catch.hpp"
#include "redis_server.hpp"
#include "silent_listener.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using value = serin::cache_store::value;

value text(std::string t)
{
    return std::make_shared<std::string const>(std::move(t));
}

// What the store finds; "-" for nothing. Runs the context until it has nothing to do, which is then.
std::string found(boost::asio::io_context& context, serin::cache_store& store, std::string_view key)
{
    std::optional<std::string> what;
    store.get(key, [&](value v) { what = v ? *v : "-"; });
    context.restart();
    context.run_for(60s);
    REQUIRE(context.stopped());
    REQUIRE(what);
    return *what;
}

void put(boost::asio::io_context& context, serin::cache_store& store, std::string_view key, std::string t,
    std::chrono::milliseconds ttl = 1h)
{
    store.put(key, text(std::move(t)), ttl);
    context.restart();
    context.run_for(60s);
    REQUIRE(context.stopped());
}

std::string const key(64, 'a');
std::string const other_key(64, 'b');

class log_lines
{
public:
    serin::logger sink()
    {
        return [this](serin::log_level, std::string_view line) { lines.emplace_back(line); };
    }

    bool has(std::string_view part) const
    {
        for (auto const& line : lines)
            if (line.find(part) != std::string::npos)
                return true;
        return false;
    }

    std::vector<std::string> lines;
};

} // namespace

TEST_CASE("redis cache: finds what was put, any bytes and large ones, and leaves no work in the context")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const store = serin::redis_cache_store(context.get_executor(), server.params());
    CHECK(found(context, *store, key) == "-");
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    put(context, *store, key, all);
    put(context, *store, other_key, std::string(3 << 20, 'x'));
    CHECK(found(context, *store, key) == all);
    CHECK(found(context, *store, other_key).size() == 3 << 20);
    put(context, *store, key, "newer");
    CHECK(found(context, *store, key) == "newer");
    put(context, *store, key, "");
    CHECK(found(context, *store, key).empty());
}

TEST_CASE("redis cache: an answer expires at the server")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const store = serin::redis_cache_store(context.get_executor(), server.params());
    put(context, *store, key, "short", 1ms);
    auto const give_up = std::chrono::steady_clock::now() + 10s;
    while (found(context, *store, key) != "-" && std::chrono::steady_clock::now() < give_up)
        ; // Each look is a question to the server
    CHECK(found(context, *store, key) == "-");
    put(context, *store, other_key, "long", std::chrono::milliseconds::max());
    CHECK(found(context, *store, other_key) == "long");
}

TEST_CASE("redis cache: several stores share a server, but not other prefixes and databases")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const one = serin::redis_cache_store(context.get_executor(), server.params());
    auto const two = serin::redis_cache_store(context.get_executor(), server.params());
    auto params = server.params();
    params.key_prefix = "other:";
    auto const prefixed = serin::redis_cache_store(context.get_executor(), params);
    params = server.params();
    params.database = 3;
    auto const elsewhere = serin::redis_cache_store(context.get_executor(), params);
    put(context, *one, key, "1");
    CHECK(found(context, *two, key) == "1");
    CHECK(found(context, *prefixed, key) == "-");
    CHECK(found(context, *elsewhere, key) == "-");
    put(context, *elsewhere, key, "3");
    CHECK(found(context, *elsewhere, key) == "3");
    CHECK(found(context, *one, key) == "1");
}

TEST_CASE("redis cache: through a Unix socket")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto params = server.params();
    params.path = server.socket();
    auto const store = serin::redis_cache_store(context.get_executor(), params);
    put(context, *store, key, "1");
    CHECK(found(context, *store, key) == "1");
}

TEST_CASE("redis cache: with a password, and without the right one nothing is found and no line tells it")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server({"--requirepass", "correct-horse-battery"});
    boost::asio::io_context context;
    log_lines log;
    auto params = server.params();
    params.log = log.sink();
    params.password = serin::secret("correct-horse-battery");
    auto const good = serin::redis_cache_store(context.get_executor(), params);
    put(context, *good, key, "1");
    CHECK(found(context, *good, key) == "1");
    params.username = "default";
    params.database = 1;
    auto const named = serin::redis_cache_store(context.get_executor(), params);
    CHECK(found(context, *named, key) == "-");
    put(context, *named, key, "2");
    CHECK(found(context, *named, key) == "2");
    CHECK(log.lines.empty());

    params = server.params();
    params.log = log.sink();
    auto const none = serin::redis_cache_store(context.get_executor(), params);
    CHECK(found(context, *none, key) == "-");
    CHECK(log.has("NOAUTH"));
    params.password = serin::secret("wrong-horse-battery");
    auto const wrong = serin::redis_cache_store(context.get_executor(), params);
    CHECK(found(context, *wrong, key) == "-");
    CHECK(found(context, *wrong, key) == "-");
    CHECK(log.has("WRONGPASS"));
    for (auto const& line : log.lines)
        CHECK(line.find("horse") == std::string::npos);
}

TEST_CASE("redis cache: while the server is dead nothing is found; when it is back it is used again")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    log_lines log;
    auto params = server.params();
    params.log = log.sink();
    auto const store = serin::redis_cache_store(context.get_executor(), params);
    put(context, *store, key, "1");
    server.kill();
    for (int i = 0; i < 20; ++i)
        CHECK(found(context, *store, key) == "-");
    put(context, *store, key, "lost");
    CHECK(log.lines.size() == 1);
    CHECK(log.has("going on without"));
    server.start();
    auto const give_up = std::chrono::steady_clock::now() + 20s;
    while (found(context, *store, key) != "again" && std::chrono::steady_clock::now() < give_up)
        put(context, *store, key, "again");
    CHECK(found(context, *store, key) == "again");
    CHECK(log.has("answers again"));
}

TEST_CASE("redis cache: a server that was restarted while nothing was asked is found again at once")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const store = serin::redis_cache_store(context.get_executor(), server.params());
    put(context, *store, key, "1");
    server.kill();
    server.start();
    put(context, *store, key, "2");
    CHECK(found(context, *store, key) == "2");
}

TEST_CASE("redis cache: the server dies while commands wait for it: all of them find nothing")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto params = server.params();
    params.command_timeout = 60s;
    auto const store = serin::redis_cache_store(context.get_executor(), params);
    put(context, *store, key, "1");
    server.signal(SIGSTOP);
    int nothing = 0;
    for (int i = 0; i < 100; ++i)
        store->get(key, [&](value v) { nothing += v ? 0 : 1; });
    context.restart();
    boost::asio::post(context, [&] { server.kill(); });
    context.run_for(30s);
    CHECK(context.stopped());
    CHECK(nothing == 100);
}

TEST_CASE("redis cache: a server that does not answer costs a call no more than the time of a command")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto params = server.params();
    params.command_timeout = 50ms;
    auto const store = serin::redis_cache_store(context.get_executor(), params);
    auto const give_up = std::chrono::steady_clock::now() + 20s;
    while (found(context, *store, key) != "1" && std::chrono::steady_clock::now() < give_up)
        put(context, *store, key, "1");
    server.signal(SIGSTOP);
    auto const from = std::chrono::steady_clock::now();
    std::optional<std::chrono::steady_clock::duration> took;
    bool nothing = false;
    store->get(key, [&](value v) {
        nothing = !v;
        took = std::chrono::steady_clock::now() - from;
    });
    context.restart();
    context.run_for(30s);
    CHECK(context.stopped()); // The reply is not waited for any longer either
    CHECK(nothing);
    REQUIRE(took);
    CHECK(*took >= 50ms);
    CHECK(*took < 1s);

    // Late replies do not go to later commands.
    server.signal(SIGCONT);
    put(context, *store, other_key, "2");
    for (int i = 0; i < 50 && found(context, *store, other_key) != "2"; ++i)
        put(context, *store, other_key, "2");
    CHECK(found(context, *store, other_key) == "2");
    CHECK(found(context, *store, key) == "1");
}

TEST_CASE("redis cache: an address that does not even answer a connection attempt is given up on")
{
    boost::asio::io_context context;
    silent_listener listener;
    serin::redis_params params;
    params.port = listener.port();
    params.command_timeout = 20ms;
    auto const store = serin::redis_cache_store(context.get_executor(), params);
    CHECK(found(context, *store, key) == "-");
}

TEST_CASE("redis cache: a full pipeline fails at once instead of growing")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto params = server.params();
    params.max_pending = 10;
    auto const store = serin::redis_cache_store(context.get_executor(), params);
    int at_once = 0;
    int all = 0;
    bool running = false;
    for (int i = 0; i < 30; ++i)
        store->get(key, [&](value) {
            at_once += running ? 0 : 1;
            ++all;
        });
    CHECK(at_once == 20);
    running = true;
    context.run_for(30s);
    CHECK(all == 30);

    params.max_pending_bytes = 1000;
    auto const small = serin::redis_cache_store(context.get_executor(), params);
    put(context, *small, key, std::string(2000, 'x'));
    CHECK(found(context, *small, key) == "-");
}

TEST_CASE("redis cache: several threads use one store")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    boost::asio::io_context context;
    auto const store = serin::redis_cache_store(context.get_executor(), server.params());
    std::atomic<int> wrong{0};
    std::atomic<int> left{0};
    for (int t = 0; t < 8; ++t)
        for (int i = 0; i < 50; ++i)
        {
            ++left;
            boost::asio::post(context, [&, t, i] {
                std::string const name = std::to_string(t) + ":" + std::to_string(i);
                store->put(name, text("of " + name), 1h);
                store->get(name, [&, name](value v) {
                    if (!v || *v != "of " + name)
                        ++wrong;
                    --left;
                });
            });
        }
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] { context.run_for(60s); });
    for (auto& thread : threads)
        thread.join();
    CHECK(left == 0);
    CHECK(wrong == 0);
}

TEST_CASE("redis cache: a store and a context may go while commands are under way")
{
    SERIN_NEEDS_REDIS_SERVER();
    redis_server server;
    int called = 0;
    {
        boost::asio::io_context context;
        auto store = serin::redis_cache_store(context.get_executor(), server.params());
        for (int i = 0; i < 5; ++i)
            store->get(key, [&](value v) { called += v ? 100 : 1; });
        context.poll_one();
        store.reset(); // Nobody is left waiting
        CHECK(called == 5);
        context.run_for(30s);
        CHECK(context.stopped());
    }
    {
        boost::asio::io_context context;
        auto const store = serin::redis_cache_store(context.get_executor(), server.params());
        auto const kept = std::make_shared<int>(0);
        store->get(key, [kept](value) {});
        context.poll();
    }
}

TEST_CASE("redis cache: parameters that cannot be used are refused")
{
    boost::asio::io_context context;
    auto const refused = [&](auto change) {
        serin::redis_params params;
        change(params);
        try
        {
            serin::redis_cache_store(context.get_executor(), params);
        }
        catch (serin::api_error const& e)
        {
            return e.code() == serin::errc::invalid_argument;
        }
        return false;
    };
    CHECK(refused([](auto& p) { p.command_timeout = 0ms; }));
    CHECK(refused([](auto& p) { p.connect_timeout = -1ms; }));
    CHECK(refused([](auto& p) { p.retry_delay = -1ms; }));
    CHECK(refused([](auto& p) { p.max_pending = 0; }));
    CHECK(refused([](auto& p) { p.host.clear(); }));
    CHECK(refused([](auto& p) { p.path.assign(200, 'x'); }));
    CHECK_FALSE(refused([](auto&) {}));
}
