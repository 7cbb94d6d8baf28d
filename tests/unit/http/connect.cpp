// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/connect.hpp"

#include "../../../src/core/fiber_group.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"
#include "silent_listener.hpp"
#include "test_fiber.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using serin::call_phase;
using serin::errc;
using serin::task;

namespace {

// Answers every question with the same addresses, or never.
class fixed_resolver final : public serin::resolver
{
public:
    asio::any_io_executor executor;
    serin::addresses found;
    bool silent = false;
    std::vector<handler> kept;

    void lookup(std::string const&, handler done) override
    {
        if (silent)
            kept.push_back(std::move(done));
        else
            asio::post(executor, [done = std::move(done), all = found] { done({}, all); });
    }
};

struct world
{
    asio::io_context context;
    std::shared_ptr<serin::fiber_group> group = std::make_shared<serin::fiber_group>(context.get_executor());
    std::shared_ptr<fixed_resolver> source = std::make_shared<fixed_resolver>();
    tcp::acceptor acceptor{context, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
    unsigned short port = acceptor.local_endpoint().port();
    serin::endpoint to;

    std::unique_ptr<serin::connection> made;
    serin::transport_failure failure;
    std::chrono::steady_clock::duration took{};

    world()
    {
        source->executor = context.get_executor();
        to.where.host = "test.example.com";
        to.where.port = port;
        to.resolver = std::make_shared<serin::resolve_cache>(source, 1h);
        to.executor = context.get_executor();
    }

    ~world() { source->kept.clear(); } // They own the cache, which owns the source

    void candidates(std::vector<std::string> const& texts)
    {
        for (std::string const& text : texts)
            source->found.push_back(asio::ip::make_address(text));
    }

    std::shared_ptr<test_fiber> start()
    {
        auto const f = make_test_fiber(context, group);
        auto body = [](serin::fiber& self, world& w) -> task<void> {
            w.made = co_await serin::connect(self, w.to, w.failure);
        };
        f->start(body(*f, *this));
        return f;
    }

    void connect()
    {
        auto const began = std::chrono::steady_clock::now();
        auto const f = start();
        context.run_for(20s);
        took = std::chrono::steady_clock::now() - began;
        REQUIRE(f->finished);
        REQUIRE(context.stopped()); // No attempt and no timer is left behind
    }
};

int option(serin::connection& c, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(c.socket().native_handle(), level, name, &value, &size);
    return value;
}

} // namespace

TEST_CASE("connect: the first address answers")
{
    world w;
    w.candidates({"127.0.0.1", "127.0.0.2"});
    w.connect();
    REQUIRE(w.made);
    CHECK_FALSE(w.failure.ec);
    CHECK(w.made->socket().remote_endpoint().address().to_string() == "127.0.0.1");
    CHECK(option(*w.made, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(*w.made, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(*w.made, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(option(*w.made, IPPROTO_TCP, TCP_KEEPINTVL) == 30);
    CHECK(option(*w.made, IPPROTO_TCP, TCP_KEEPCNT) == 5);
    CHECK(option(*w.made, IPPROTO_TCP, TCP_USER_TIMEOUT) > 0);
}

TEST_CASE("connect: the next address is tried at once when one refuses")
{
    world w;
    std::vector<std::string> all;
    for (int i = 10; i < 30; ++i)
        all.push_back("127.0.0." + std::to_string(i));
    all.push_back("127.0.0.1");
    w.candidates(all);
    w.connect();
    REQUIRE(w.made);
    CHECK(w.made->socket().remote_endpoint().address().to_string() == "127.0.0.1");
    CHECK(w.took < 3s); // And not 20 times 250 ms
}

TEST_CASE("connect: the next address is tried after 250 ms when one is silent")
{
    world w;
    silent_listener const silent("127.0.0.2", w.port);
    w.candidates({"127.0.0.2", "127.0.0.1"});
    w.connect();
    REQUIRE(w.made);
    CHECK(w.made->socket().remote_endpoint().address().to_string() == "127.0.0.1");
    CHECK(w.took >= 240ms);
    CHECK(w.took < 4s);
}

TEST_CASE("connect: refusals beside a silent address cost no time")
{
    world w;
    silent_listener const silent("127.0.0.2", w.port);
    std::vector<std::string> all{"127.0.0.2"};
    for (int i = 10; i < 30; ++i)
        all.push_back("127.0.0." + std::to_string(i));
    all.push_back("127.0.0.1");
    w.candidates(all);
    w.connect();
    REQUIRE(w.made);
    CHECK(w.took < 3s); // And not 20 times 250 ms
}

TEST_CASE("connect: an address that cannot even be tried is passed over")
{
    // Link-local, and no word of the link
    world w;
    w.candidates({"fe80::1", "127.0.0.1"});
    w.connect();
    REQUIRE(w.made);
}

TEST_CASE("connect: all addresses refuse")
{
    world w;
    w.candidates({"127.0.0.2", "127.0.0.3"});
    w.connect();
    CHECK_FALSE(w.made);
    CHECK(w.failure.ec == errc::connect_failed);
    CHECK(w.failure.phase == call_phase::connect);
    CHECK_THAT(w.failure.detail, ContainsSubstring("test.example.com port " + std::to_string(w.port)));
    CHECK_THAT(w.failure.detail, ContainsSubstring("refused"));
}

TEST_CASE("connect: the deadline of connecting")
{
    world w;
    w.to.timeouts.connect = 100ms;
    SECTION("nobody answers")
    {
        silent_listener const silent("127.0.0.2", w.port);
        w.candidates({"127.0.0.2"});
        w.connect();
        CHECK(w.failure.phase == call_phase::connect);
    }
    SECTION("the name is not found in time")
    {
        w.source->silent = true;
        w.connect();
        CHECK(w.failure.phase == call_phase::resolve);
    }
    CHECK_FALSE(w.made);
    CHECK(w.failure.ec == errc::connect_timeout);
    CHECK(w.took >= 100ms);
}

TEST_CASE("connect: the deadline is off afterwards")
{
    world w;
    w.to.timeouts.connect = 50ms;
    w.candidates({"127.0.0.1"});
    auto const f = make_test_fiber(w.context, w.group);
    serin::error_code later;
    auto body = [](serin::fiber& self, world& v, serin::error_code& out) -> task<void> {
        v.made = co_await serin::connect(self, v.to, v.failure);
        asio::steady_timer timer(self.get_executor(), 150ms);
        out = co_await timer_suspension(self, timer);
    };
    f->start(body(*f, w, later));
    w.context.run_for(20s);
    CHECK(w.made);
    CHECK_FALSE(later);
}

TEST_CASE("connect: interrupted or destroyed in the middle nothing is left behind")
{
    std::optional<silent_listener> silent;
    std::weak_ptr<test_fiber> gone;
    {
        world w;
        silent.emplace("127.0.0.2", w.port);
        w.candidates({"127.0.0.2"});
        auto f = w.start();
        gone = f;
        w.context.run_for(20ms);
        CHECK_FALSE(f->finished);
        SECTION("interrupted")
        {
            f->interrupt(asio::error::operation_aborted);
            w.context.run_for(20s);
            CHECK(w.context.stopped());
            CHECK(f->finished);
            CHECK(w.failure.ec == asio::error::operation_aborted);
        }
        SECTION("destroyed")
        {
            CHECK_FALSE(gone.expired());
        }
        f.reset();
    }
    CHECK(gone.expired());
}
