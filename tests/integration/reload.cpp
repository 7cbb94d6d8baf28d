// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// A configuration file that changes while a client is at work.

#include <serin/config.hpp>

#include "answers.hpp"
#include "catch.hpp"
#include "load.hpp"

#include <serin/client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include <unistd.h>

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using serin::config_watch;
using serin::errc;

namespace {

// A folder with a configuration of the upstreams "a" and "b", and a client that follows it.
class reload_fixture
{
public:
    reload_fixture() : a("a"), b("b")
    {
        static int count = 0;
        folder =
            fs::temp_directory_path() / ("serin-reload-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        fs::create_directories(folder);
        path = (folder / "serin.json").string();
        ::setenv("SERIN_TEST_RELOAD_KEY", "sk-of-the-test", 1);
    }

    ~reload_fixture()
    {
        watch.reset();
        fs::remove_all(folder);
    }

    void write(std::string_view text) const { std::ofstream(path, std::ios::binary) << text; }

    // Nobody sees a half.
    void replace(std::string_view text) const
    {
        std::ofstream(folder / "next", std::ios::binary) << text;
        fs::rename(folder / "next", path);
    }

    std::string config(unsigned weight_a, unsigned weight_b, std::string const& more = {}) const
    {
        auto const one = [](named_provider const& p, std::string const& name, unsigned weight) {
            return R"({"name": ")" + name + R"(", "base_url": ")" + p.server.base_url() + R"(", "weight": )" +
                   std::to_string(weight) + R"(, "keys": {"env": "SERIN_TEST_RELOAD_KEY"}})";
        };
        return R"({"upstreams": [)" + one(a, "a", weight_a) + ", " + one(b, "b", weight_b) + "]" +
               (more.empty() ? "" : ", " + more) + "}";
    }

    void begin()
    {
        serin::client_params params;
        std::string why;
        REQUIRE_FALSE(serin::load_config_file(path, params, why));
        l.emplace(params);
        watch.emplace(l->client, path);
        watch->start();
    }

    unsigned weight_of_b() { return l->client.params().upstreams.at(1).weight; }

    bool sees_weight(unsigned weight)
    {
        return l->until([&] { return weight_of_b() == weight; }, 2s);
    }

    bool told(std::string const& part)
    {
        return l->until([&] { return l->has_logged(part); }, 2s);
    }

    named_provider a;
    named_provider b;
    fs::path folder;
    std::string path;
    std::optional<load> l;
    std::optional<config_watch> watch;
};

std::string const stays = ": the configuration stays as it was";

} // namespace

TEST_CASE_METHOD(reload_fixture, "reload: a change is in use at once, and no call fails")
{
    write(config(1, 0));
    begin();
    l->start("m");
    l->run_calls(100);
    CHECK(l->share_of("a") == 1);
    for (unsigned i = 1; i <= 5; ++i)
    {
        replace(i % 2 == 0 ? config(1, 0) : config(0, i));
        CHECK(sees_weight(i % 2 == 0 ? 0 : i));
        auto const since = l->now();
        l->run_calls(100);
        CHECK(l->share_of(i % 2 == 0 ? "a" : "b", since) == 1);
    }
    l->stop();
    CHECK(l->failure().empty());
    CHECK(l->has_logged("configuration file " + path + " was read and is in use"));
    CHECK(watch->problem().empty());
}

TEST_CASE_METHOD(reload_fixture, "reload: a file that is wrong changes nothing, and says why")
{
    write(config(1, 7));
    begin();
    replace("{");
    CHECK(told(path + ": not JSON: line 1, column 2" + stays));
    CHECK(watch->problem() == path + ": not JSON: line 1, column 2");
    replace(config(1, 8, R"("models": {"m": {"upstreams": ["x"]}})"));
    CHECK(told(path + R"(: models.m.upstreams[0]: there is no upstream "x")" + stays));
    fs::remove(path);
    CHECK(told(path + ": cannot read the file" + stays));
    CHECK(weight_of_b() == 7);
    l->start("m");
    l->run_calls(20);
    l->stop();
    CHECK(l->failure().empty());

    write(config(1, 9));
    CHECK(sees_weight(9));
    CHECK(l->until([&] { return watch->problem().empty(); }, 2s));
}

TEST_CASE_METHOD(reload_fixture, "reload: what only the client can find wrong changes nothing either")
{
    write(config(1, 7));
    begin();
    // A field that the library writes itself
    replace(R"({"upstreams": [{"headers": {"Host": "a.example"}}]})");
    CHECK(told("the header field Host is set by the library" + stays));
    CHECK(weight_of_b() == 7);
}

TEST_CASE_METHOD(reload_fixture, "reload: a change before the watch began, and a file that comes later")
{
    write(config(1, 1));
    serin::client_params params;
    std::string why;
    REQUIRE_FALSE(serin::load_config_file(path, params, why));
    l.emplace(params);
    SECTION("changed")
    {
        replace(config(1, 2));
        watch.emplace(l->client, path);
        watch->start();
        CHECK(weight_of_b() == 2);
    }
    SECTION("not there")
    {
        fs::remove(path);
        watch.emplace(l->client, path);
        watch->start();
        CHECK(l->has_logged(path + ": cannot read the file" + stays));
        CHECK(weight_of_b() == 1);
        write(config(1, 3));
        CHECK(sees_weight(3));
    }
}

TEST_CASE_METHOD(reload_fixture, "reload: a ConfigMap of Kubernetes that is exchanged")
{
    auto const swap_data = [&](std::string const& version, std::string const& text) {
        fs::create_directory(folder / version);
        std::ofstream(folder / version / "serin.json") << text;
        fs::create_symlink(version, folder / "..data_tmp");
        fs::rename(folder / "..data_tmp", folder / "..data");
    };
    swap_data("..1", config(1, 1));
    fs::create_symlink("..data/serin.json", path);
    begin();
    for (unsigned i = 2; i <= 4; ++i)
    {
        swap_data(".." + std::to_string(i), config(1, i));
        CHECK(sees_weight(i));
    }
}

TEST_CASE_METHOD(reload_fixture, "reload: what the file no longer says is as the program has it")
{
    write(config(1, 1, R"("retry": {"max_attempts": 2}, "timeouts": {"total": "7s"})"));
    serin::client_params defaults;
    defaults.retry.max_attempts = 9;
    auto params = defaults;
    std::string why;
    REQUIRE_FALSE(serin::load_config_file(path, params, why));
    l.emplace(params);
    watch.emplace(l->client, path, defaults);
    watch->start();
    CHECK(l->client.params().retry.max_attempts == 2);
    replace(config(1, 2));
    CHECK(sees_weight(2));
    CHECK(l->client.params().retry.max_attempts == 9);
    CHECK(l->client.params().timeouts.total == serin::client_params().timeouts.total);
}

TEST_CASE_METHOD(reload_fixture, "reload: the stage of a rollout stays")
{
    std::string const rollout = R"("models": {"m": {"upstreams": ["a", "b"]}},
        "rollout": {"model": "m", "candidate": "b", "hold": "1h", "stages": [0.1, 0.5, 1.0], "gates": {"error_rate": )";
    write(config(1, 1, rollout + "0.01}}"));
    begin();
    CHECK(l->client.promote_rollout("m").stage == 1);
    replace(config(1, 2, rollout + "0.5}}"));
    CHECK(sees_weight(2));
    CHECK(l->client.rollouts().at(0).stage == 1);
    CHECK(l->client.params().rollouts.at(0).gates.error_rate == 0.5);
    l->client.abort_rollout("m");
    replace(config(1, 3, rollout + "0.1}}"));
    CHECK(sees_weight(3));
    CHECK(l->client.rollouts().at(0).status == serin::rollout_status::rolled_back);
}

TEST_CASE_METHOD(reload_fixture, "reload: a key that the server does not accept is still known")
{
    a.server.set_keys({"sk-another"});
    b.server.set_keys({"sk-of-the-test"});
    write(config(1, 0));
    begin();
    l->start("m", 1);
    REQUIRE(l->until([&] { return !l->calls.empty(); }));
    l->stop();
    auto const state = [&] { return l->client.keys().at(0).keys.at(0).state; };
    CHECK(state() == serin::key_state::quarantined);
    auto const source = l->client.params().upstreams.at(0).keys;
    replace(config(1, 2));
    CHECK(sees_weight(2));
    CHECK(l->client.params().upstreams.at(0).keys == source);
    CHECK(state() == serin::key_state::quarantined);
}

TEST_CASE_METHOD(reload_fixture, "reload: by hand")
{
    write(config(1, 1));
    begin();
    watch->stop();
    replace(config(1, 2));
    l->run_for(300ms);
    CHECK(weight_of_b() == 1); // It has ended.
    std::string why;
    CHECK_FALSE(watch->reload(why));
    CHECK(weight_of_b() == 2);
    replace("[]");
    CHECK(watch->reload(why) == errc::invalid_argument);
    CHECK(why == path + ": the configuration must be a JSON object");
    CHECK(watch->problem() == why);

    watch->start();
    watch->start(); // Nothing happens.
    replace(config(1, 3));
    CHECK(sees_weight(3));
}

TEST_CASE_METHOD(reload_fixture, "reload: nothing is left behind, whoever ends first")
{
    write(config(1, 1));
    auto context = std::make_unique<boost::asio::io_context>();
    serin::client_params params;
    std::string why;
    REQUIRE_FALSE(serin::load_config_file(path, params, why));
    auto client = std::make_unique<serin::client>(context->get_executor(), params);
    watch.emplace(*client, path);
    watch->start();
    SECTION("the watch")
    {
        watch.reset();
        context->run_for(20s);
        CHECK(context->stopped());
    }
    SECTION("the client")
    {
        client.reset();
        CHECK(watch->reload(why) == boost::asio::error::operation_aborted);
        replace(config(1, 2));
        context->run_for(200ms);
        watch->start();
        watch.reset();
        context->restart();
        context->run_for(20s);
        CHECK(context->stopped());
    }
    client.reset();
}

TEST_CASE_METHOD(reload_fixture, "reload: with several threads and calls all the time")
{
    write(config(1, 1));
    serin::client_params params;
    std::string why;
    REQUIRE_FALSE(serin::load_config_file(path, params, why));
    boost::asio::io_context context;
    serin::client client(context.get_executor(), params);
    std::atomic<bool> stop = false;
    std::atomic<int> answered = 0;
    std::atomic<int> failed = 0;
    auto const call = [&]() -> boost::asio::awaitable<void> {
        while (!stop)
        {
            auto const answer = co_await client.async_chat(ask(), boost::asio::as_tuple(boost::asio::use_awaitable));
            ++(std::get<0>(answer) ? failed : answered);
        }
    };
    for (int i = 0; i < 6; ++i)
        boost::asio::co_spawn(boost::asio::make_strand(context), call(), boost::asio::detached);
    watch.emplace(client, path);
    watch->start();
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i)
        threads.emplace_back([&] { context.run(); });
    bool seen = true;
    for (unsigned weight = 2; weight < 12; ++weight)
    {
        replace(weight % 4 == 0 ? "{" : config(1, weight));
        auto const end = std::chrono::steady_clock::now() + 5s;
        auto const is_there = [&] {
            return weight % 4 == 0 ? !watch->problem().empty() : client.params().upstreams.at(1).weight == weight;
        };
        while (!is_there() && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        seen = seen && is_there();
        if (weight % 3 == 0)
            watch->reload(why);
    }
    CHECK(seen);
    watch.reset();
    stop = true;
    for (auto& t : threads)
        t.join();
    CHECK(failed == 0);
    CHECK(answered > 0);
}
