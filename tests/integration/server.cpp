// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What the internal HTTP server does beyond what the tests of the mock provider show: strands, time limits, the
// graceful end.

#include "../../src/http/server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace serin;
using std::chrono::milliseconds;

namespace {

class echo_handler final : public http_server_handler
{
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::uint64_t> open_;
    std::set<std::string> targets_;

    template <class Function>
    void update(Function change)
    {
        {
            std::lock_guard const lock(mutex_);
            change();
        }
        changed_.notify_all();
    }

public:
    asio::awaitable<void> on_request(http_exchange& exchange) override
    {
        std::string const target = exchange.request().target;
        update([&] { targets_.insert(target); });
        http_server_head head;
        std::string body;
        if (target == "/throw")
            throw std::runtime_error("thrown");
        if (target == "/unread")
        {
            co_await exchange.write_whole(head, "unread");
            co_return;
        }
        if (target == "/wait")
            co_await exchange.sleep_until(std::chrono::steady_clock::now() + milliseconds(50));
        if (target == "/gone")
        {
            // Ends only because the client goes.
            asio::steady_timer timer(exchange.get_executor(), std::chrono::hours(1));
            error_code ec;
            co_await timer.async_wait(
                asio::bind_cancellation_slot(exchange.gone_slot(), asio::redirect_error(asio::use_awaitable, ec)));
            update([&] { targets_.insert("/went"); });
            co_return;
        }
        if (target == "/flood")
        {
            body.assign(1 << 20, 'x');
            head.framing = http_framing::chunked;
            error_code ec = co_await exchange.write_head(head);
            while (!ec)
                ec = co_await exchange.write_piece(body);
            update([&] { targets_.insert("/cut off"); });
            co_return;
        }
        error_code const ec = co_await exchange.read_body(body);
        if (ec == asio::error::timed_out)
            head.status = 408;
        if (!ec || ec == asio::error::timed_out)
            co_await exchange.write_whole(head, body);
    }

    void on_open(std::uint64_t id) override
    {
        update([&] { open_.insert(id); });
    }

    void on_close(std::uint64_t id) override
    {
        update([&] { open_.erase(id); });
    }

    bool wait_for(std::string const& target)
    {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return targets_.count(target) != 0; });
    }

    bool wait_for_open(std::size_t count)
    {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return open_.size() == count; });
    }

    std::size_t open()
    {
        std::lock_guard const lock(mutex_);
        return open_.size();
    }
};

// A server run by two threads.
class fixture
{
    asio::io_context context_;
    std::vector<std::thread> threads_;

public:
    std::shared_ptr<echo_handler> const handler = std::make_shared<echo_handler>();
    http_server server;

    explicit fixture(http_server_params const& params) : server(context_.get_executor(), params, handler)
    {
        REQUIRE_FALSE(server.listen("127.0.0.1", 0));
        server.start();
        for (int i = 0; i < 2; ++i)
            threads_.emplace_back([this] { context_.run(); });
    }

    // Returns when the server has no work left.
    void join()
    {
        for (std::thread& t : threads_)
            t.join();
        threads_.clear();
        CHECK(handler->open() == 0);
    }

    ~fixture()
    {
        server.close();
        join();
    }
};

class client
{
    asio::io_context context_;
    asio::ip::tcp::socket socket_{context_};

public:
    explicit client(fixture& f) { socket_.connect({asio::ip::address_v4::loopback(), f.server.port()}); }

    void send(std::string const& text) { asio::write(socket_, asio::buffer(text)); }

    // Everything until the server closes; "reset" is added if it resets.
    std::string read_all()
    {
        std::string all;
        error_code ec;
        asio::read(socket_, asio::dynamic_buffer(all), ec);
        return ec == asio::error::eof ? all : all + "reset";
    }

    // Everything until this text has come, or the server closes. Asserts nothing: it runs in several threads.
    std::string read_until(std::string const& end)
    {
        std::string all;
        error_code ec;
        asio::read_until(socket_, asio::dynamic_buffer(all), end, ec);
        return all;
    }
};

std::string request(std::string const& method, std::string const& target, std::string const& body = {})
{
    return method + " " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

} // namespace

TEST_CASE("server: time limits", "[http][server]")
{
    http_server_params params;
    SECTION("between requests")
    {
        params.idle_timeout = milliseconds(10);
        fixture f(params);
        client idle(f);
        CHECK(idle.read_all().empty());
        client second(f);
        second.send(request("POST", "/", "text"));
        CHECK_THAT(second.read_all(), ContainsSubstring("\r\n\r\ntext"));
    }
    SECTION("within a head")
    {
        params.head_timeout = milliseconds(10);
        fixture f(params);
        client slow(f);
        slow.send("GET / HT");
        CHECK(slow.read_all().empty());
    }
    SECTION("for a body")
    {
        params.body_timeout = milliseconds(10);
        fixture f(params);
        client slow(f);
        slow.send(request("POST", "/", "text").substr(0, 49));
        CHECK_THAT(slow.read_all(), ContainsSubstring("HTTP/1.1 408 "));
    }
    SECTION("for an answer that nobody reads")
    {
        params.write_timeout = milliseconds(10);
        fixture f(params);
        client deaf(f);
        deaf.send(request("GET", "/flood"));
        CHECK(f.handler->wait_for("/cut off"));
        // What the system still had for it is gone too.
        CHECK_THAT(deaf.read_all(), Catch::Matchers::EndsWith("reset"));
    }
    SECTION("for the TLS handshake")
    {
        params.handshake_timeout = milliseconds(10);
        params.tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
        fixture f(params);
        client silent(f);
        CHECK(silent.read_all().empty());
    }
}

TEST_CASE("server: a graceful end", "[http][server]")
{
    fixture f{http_server_params()};
    client idle(f);
    idle.send(request("POST", "/", "text"));
    std::string const first = idle.read_until("text");
    CHECK_THAT(first, ContainsSubstring("\r\n\r\ntext"));
    CHECK_THAT(first, !ContainsSubstring("Connection: close"));
    client busy(f);
    busy.send(request("POST", "/wait", "text"));
    REQUIRE(f.handler->wait_for("/wait"));
    f.server.stop();
    std::string const answer = busy.read_all();
    CHECK_THAT(answer, ContainsSubstring("Connection: close"));
    CHECK_THAT(answer, ContainsSubstring("\r\n\r\ntext"));
    CHECK(idle.read_all().empty());
    f.join();
}

TEST_CASE("server: a wait ends when the client goes", "[http][server]")
{
    fixture f{http_server_params()};
    {
        client goes(f);
        goes.send(request("GET", "/gone"));
        REQUIRE(f.handler->wait_for("/gone"));
    }
    CHECK(f.handler->wait_for("/went"));
}

TEST_CASE("server: connections above the limit are refused, and taken again later", "[http][server]")
{
    http_server_params params;
    params.max_connections = 2;
    fixture f(params);
    client second(f);
    {
        client first(f);
        for (client* c : {&first, &second})
        {
            c->send(request("POST", "/", "text"));
            CHECK_THAT(c->read_until("text"), ContainsSubstring("HTTP/1.1 200 "));
        }
        client third(f);
        third.send(request("POST", "/", "text"));
        std::string const refusal = third.read_all();
        CHECK_THAT(refusal, ContainsSubstring("HTTP/1.1 503 "));
        CHECK_THAT(refusal, ContainsSubstring("Connection: close"));
    }
    REQUIRE(f.handler->wait_for_open(1));
    client fourth(f);
    fourth.send(request("POST", "/", "text"));
    CHECK_THAT(fourth.read_until("text"), ContainsSubstring("HTTP/1.1 200 "));
}

TEST_CASE("server: handlers that do not do all", "[http][server]")
{
    fixture f{http_server_params()};
    client thrown(f);
    thrown.send(request("GET", "/throw"));
    CHECK_THAT(thrown.read_all(), ContainsSubstring("HTTP/1.1 500 "));

    // What is left of the body must not be taken for the next request.
    client unread(f);
    unread.send(request("POST", "/unread", request("GET", "/smuggled")).substr(0, 80));
    CHECK_THAT(unread.read_until("unread"), ContainsSubstring("HTTP/1.1 200 "));

    client head(f);
    head.send(request("HEAD", "/") + request("POST", "/", "next"));
    std::string const answers = head.read_until("next");
    CHECK_THAT(answers, ContainsSubstring("Content-Length: 0"));
    CHECK_THAT(answers, ContainsSubstring("\r\n\r\nnext"));
}

TEST_CASE("server: many clients, two threads", "[http][server]")
{
    fixture f{http_server_params()};
    std::vector<std::thread> threads;
    std::vector<int> right(4);
    for (std::size_t t = 0; t < right.size(); ++t)
        threads.emplace_back([&f, &count = right[t], t] {
            for (int i = 0; i < 50; ++i)
            {
                client c(f);
                std::string const text = "<" + std::to_string(t) + ":" + std::to_string(i) + ">";
                c.send(request("POST", "/", text) + request("POST", "/", text + "!"));
                count += c.read_until("!").find(text + "HTTP/1.1") != std::string::npos;
            }
        });
    for (std::thread& t : threads)
        t.join();
    CHECK(right == std::vector<int>{50, 50, 50, 50});
}

TEST_CASE("server: an address that cannot be had", "[http][server]")
{
    fixture f{http_server_params()};
    asio::io_context context;
    http_server second(context.get_executor(), http_server_params(), f.handler);
    CHECK(second.listen("127.0.0.1", f.server.port()) == asio::error::address_in_use);
    CHECK(second.listen("nonsense", 0));
}
