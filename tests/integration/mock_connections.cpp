// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The mock provider's connections, seen by a client that shares no code with it.

#include <serin/mock/provider.hpp>

#include <boost/system/system_error.hpp>

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mock_client.hpp"

using namespace mock_client;
using namespace serin;
using mock::behavior;
using nlohmann::json;
using std::chrono::milliseconds;
using test_clock = std::chrono::steady_clock;

TEST_CASE("mock: what is not HTTP is refused", "[mock]")
{
    mock::provider_params params;
    params.body_limit = 1000;
    mock::provider p(params);
    CHECK(ask(p, "nonsense\r\n\r\n").status == 400);
    CHECK(ask(p, "GET / HTTP/1.1\r\nHost: x\r\nA b\r\n\r\n").status == 400);
    CHECK(ask(p, "GET / HTTP/1.1\r\nA: " + std::string(70000, 'a') + "\r\n\r\n").status == 431);
    CHECK(ask(p, "GET /" + std::string(70000, 'a') + " HTTP/1.1\r\n\r\n").status == 431);
    // Fields that each are small enough.
    std::string fields;
    while (fields.size() < 70000)
        fields += "A: " + std::string(1000, 'a') + "\r\n";
    CHECK(ask(p, "GET / HTTP/1.1\r\n" + fields + "\r\n").status == 431);

    response const r = ask(p, post(std::string(2000, ' ')));
    CHECK(r.status == 413);
    CHECK(json::parse(r.body)["error"]["code"] == "request_too_large");

    std::string const chunked_head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string const body = chat_body("mock");
    std::string chunks;
    for (char const c : body)
        chunks += std::string("1\r\n") + c + "\r\n";
    CHECK(ask(p, chunked_head + chunks + "0\r\n\r\n").status == 200);
    // Neither a trailer nor a chunk header without end is kept.
    raw_client endless(p);
    endless.send(chunked_head + "1;" + std::string(100000, 'x'));
    CHECK(endless.read().status == 400);
    raw_client trailer(p);
    std::string fields_of_trailer = "0\r\n";
    while (fields_of_trailer.size() < 200000)
        fields_of_trailer += "A: " + std::string(1000, 'a') + "\r\n";
    trailer.send(chunked_head + chunks + fields_of_trailer);
    CHECK(trailer.read().status == 400);
    // A line end without CR is an error at once, not a wait.
    CHECK(ask(p, "GET /v1/models HTTP/1.1\nHost: x\n\n").status == 400);
    CHECK(ask(p, "GET /v1/models HTTP/1.1\r\nHost: x\n\n").status == 400);
}

TEST_CASE("mock: requests in any pieces", "[mock]")
{
    mock::provider p;
    SECTION("byte by byte")
    {
        raw_client client(p);
        int const on = 1;
        ::setsockopt(client.fd(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
        for (char const c : whole())
            client.send(std::string_view(&c, 1));
        CHECK(client.read().status == 200);
    }
    SECTION("several at once, answered in order")
    {
        raw_client client(p);
        client.send(whole("a") + stream("b") + whole("c"));
        CHECK(json::parse(client.read().body)["model"] == "a");
        CHECK(client.read().body.find("\"model\":\"b\"") != std::string::npos);
        CHECK(json::parse(client.read().body)["model"] == "c");
        CHECK(p.requests()[2].number == 3);
    }
    SECTION("after 100 Continue")
    {
        raw_client client(p);
        std::string const request = post(chat_body("m"), "Expect: 100-continue\r\n");
        auto const body_at = request.find("\r\n\r\n") + 4;
        client.send(request.substr(0, body_at));
        CHECK(client.read().status == 100);
        client.send(request.substr(body_at));
        CHECK(client.read().status == 200);
    }
    SECTION("a large body")
    {
        std::string const text(3000000, 'x');
        p.on_next(behavior().echoing());
        response const r = ask(p, post(R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]}"));
        CHECK(json::parse(r.body)["choices"][0]["message"]["content"] == text);
        CHECK(p.requests()[0].body.size() > text.size());
    }
}

TEST_CASE("mock: answers before the body", "[mock]")
{
    mock::provider p;
    std::string const body(8 * 1024 * 1024, 'x');
    SECTION("and takes the rest")
    {
        p.on_next(behavior().answered_early(413));
        raw_client client(p);
        client.send(post(body));
        response const r = client.read();
        CHECK(r.status == 413);
        CHECK(r.complete);
        CHECK_FALSE(client.send_failed());
        CHECK(p.requests()[0].body.empty());
    }
    SECTION("by default, without a byte of the body")
    {
        p.set_default(behavior().answered_early(401));
        raw_client client(p);
        std::string const request = post(body);
        client.send(request.substr(0, request.find("\r\n\r\n") + 4));
        CHECK(client.read().status == 401);
        CHECK(client.fill() == ending::closed);
    }
    SECTION("and resets")
    {
        behavior b = behavior().answered_early(413);
        b.linger = false;
        p.on_next(b);
        raw_client client(p);
        client.send(post(body));
        // The reset is reported once: to the write, if there still is one.
        bool const reset = client.read_all().second == ending::reset;
        CHECK((reset || client.send_failed()));
    }
}

TEST_CASE("mock: request bodies that are read slowly or never", "[mock]")
{
    mock::provider_params params;
    params.receive_buffer = 4096;
    mock::provider p(params);
    SECTION("slowly")
    {
        behavior b;
        b.read_interval = milliseconds(1);
        b.read_size = 100;
        p.on_next(b);
        CHECK(ask(p, post(chat_body("m", false, ",\"pad\":\"" + std::string(2000, 'x') + "\""))).status == 200);
    }
    SECTION("never: a write comes to a standstill")
    {
        p.on_next(behavior().never_reading());
        raw_client client(p);
        int const small = 4096;
        ::setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        ::fcntl(client.fd(), F_SETFL, ::fcntl(client.fd(), F_GETFL) | O_NONBLOCK);
        client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n");
        std::string const rest(1024 * 1024, 'y');
        std::size_t total = 0;
        for (;;)
        {
            auto const n = ::send(client.fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN)
            {
                pollfd entry{client.fd(), POLLOUT, 0};
                if (::poll(&entry, 1, 200) == 0)
                    break;
                continue;
            }
            REQUIRE(n > 0);
            total += static_cast<std::size_t>(n);
        }
        CHECK(total < 9000000);
        CHECK(p.requests().size() == 1);
        CHECK_FALSE(p.requests()[0].answered);
    }
    SECTION("never, until the client leaves")
    {
        p.on_next(behavior().never_reading());
        raw_client client(p);
        client.send(whole());
        REQUIRE(p.wait_until([&] { return p.request_count() == 1; }, patience));
        client.close();
        REQUIRE(answered(p));
        CHECK(p.requests()[0].client_closed_early);
    }
}

TEST_CASE("mock: a half-sent request of a client that leaves", "[mock]")
{
    mock::provider p;
    raw_client client(p);
    client.send(whole().substr(0, 30));
    client.close();
    CHECK(p.wait_until([&] { return p.connections_accepted() == 1 && p.connections_open() == 0; }, patience));
    CHECK(p.request_count() == 0);
}

TEST_CASE("mock: the end does not wait for anybody", "[mock]")
{
    bool const tls = GENERATE(false, true);
    mock::provider_params params;
    params.tls = tls;
    auto p = std::make_unique<mock::provider>(params);
    std::vector<std::unique_ptr<raw_client>> clients;
    auto const add = [&](behavior const* b, std::string const& bytes) {
        auto client = std::make_unique<raw_client>(*p);
        if (tls)
            REQUIRE(client->start_tls(*p, "localhost").empty());
        if (b)
            p->on_next(*b);
        std::size_t const before = p->request_count();
        client->send(bytes);
        if (b)
            REQUIRE(p->wait_until([&] { return p->request_count() == before + 1; }, patience));
        clients.push_back(std::move(client));
    };
    behavior const stall = behavior().stall_after(1);
    behavior const open = behavior().left_open();
    behavior const deaf = behavior().never_reading();
    behavior const late = behavior().delayed(mock::forever);
    behavior const huge = behavior().with_tokens(1000000);
    add(&stall, stream());
    add(&open, stream());
    add(&deaf, whole());
    add(&late, whole());
    add(&huge, stream());
    add(nullptr, "POST /v1/cha");
    clients.push_back(std::make_unique<raw_client>(*p)); // says nothing, not even a TLS hello
    auto const start = test_clock::now();
    p.reset();
    CHECK(test_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("mock: an address that cannot be had", "[mock]")
{
    mock::provider first;
    mock::provider_params params;
    params.port = first.port();
    CHECK_THROWS_AS(mock::provider(params), boost::system::system_error);
    params.port = 0;
    params.host = "not an address";
    CHECK_THROWS_AS(mock::provider(params), boost::system::system_error);
    CHECK(first.base_url() == "http://127.0.0.1:" + std::to_string(first.port()) + "/v1");
}

TEST_CASE("mock: many connections at once", "[mock]")
{
    mock::provider p;
    p.set_default(behavior().with_tokens(20).paced(milliseconds(1)));
    std::vector<std::unique_ptr<raw_client>> clients;
    for (int i = 0; i < 100; ++i)
    {
        clients.push_back(std::make_unique<raw_client>(p));
        clients.back()->send(stream());
    }
    for (auto const& client : clients)
        CHECK(client->read().complete);
    CHECK(p.max_connections_open() == 100);
}

TEST_CASE("mock: no descriptors left, for a while", "[mock]")
{
    mock::provider p;
    raw_client client;
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    // The client has its socket; the provider gets none.
    int const next = ::dup(client.fd());
    REQUIRE(next > 0);
    ::close(next);
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(next);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    client.connect(p);
    client.send(whole());
    auto const during = client.fill(milliseconds(100));
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(during == ending::timed_out);
    CHECK(client.read().status == 200);
}
