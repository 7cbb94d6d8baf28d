// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The faults that the mock provider makes, seen by a client that shares no code with it.

#include <serin/mock/provider.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "mock_client.hpp"

using namespace mock_client;
using namespace serin;
using mock::behavior;
using nlohmann::json;
using std::chrono::milliseconds;
using test_clock = std::chrono::steady_clock;

TEST_CASE("mock: no answer at all", "[mock]")
{
    mock::provider p;
    p.on_next(behavior().close_before_head());
    response r = ask(p, whole());
    CHECK(r.status == 0);
    CHECK(r.end == ending::closed);
    p.on_next(behavior().reset_before_head());
    r = ask(p, whole());
    CHECK(r.status == 0);
    CHECK(r.end == ending::reset);
    REQUIRE(answered(p, 2));
    CHECK(p.requests()[0].status == 0);
    CHECK_FALSE(p.requests()[0].client_closed_early);
}

TEST_CASE("mock: streams that break", "[mock]")
{
    mock::provider p;
    auto const ask_stream = [&](behavior const& b) {
        p.on_next(b);
        return ask(p, stream());
    };
    SECTION("cut")
    {
        response const r = ask_stream(behavior().cut_after(3));
        CHECK(stream_text(r.body) == "tok1 tok2 tok3");
        CHECK_FALSE(r.complete);
        CHECK(r.end == ending::closed);
        CHECK(ask_stream(behavior().cut_after(0)).body.find("role") != std::string::npos);
        // Beyond the last token: before the finish reason.
        response const late = ask_stream(behavior().cut_after(100));
        CHECK(events(late.body).size() == 9);
        CHECK_FALSE(late.complete);
    }
    SECTION("reset")
    {
        response const r = ask_stream(behavior().reset_after(3));
        CHECK_FALSE(r.complete);
        CHECK(r.end == ending::reset);
    }
    SECTION("stalled, until the client leaves")
    {
        p.on_next(behavior().stall_after(2));
        raw_client client(p);
        client.send(stream());
        REQUIRE(client.read_until("tok2"));
        CHECK(client.fill(milliseconds(20)) == ending::timed_out);
        CHECK_FALSE(p.requests()[0].answered);
        CHECK(p.requests()[0].tokens_sent == 2);
        client.close();
        REQUIRE(answered(p));
        CHECK(p.requests()[0].client_closed_early);
        CHECK(p.wait_until([&] { return p.connections_open() == 0; }, patience));
    }
    SECTION("stalled with comments")
    {
        behavior b = behavior().stall_after(2);
        b.comment_interval = milliseconds(1);
        p.on_next(b);
        raw_client client(p);
        client.send(stream());
        CHECK(client.read_until(": keep-alive\n\n\r\n"));
        client.reset();
        CHECK(answered(p));
    }
    SECTION("malformed, and on")
    {
        response const r = ask_stream(behavior().malformed_after(3));
        auto const all = events(r.body);
        REQUIRE(all.size() == 12);
        CHECK_FALSE(json::accept(all[4]));
        CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
        CHECK(all.back() == "[DONE]");
        CHECK(r.complete);
    }
    SECTION("an error event")
    {
        response const r = ask_stream(behavior().error_after(3).with_error("broke", "server_error", "oops"));
        auto const all = events(r.body);
        REQUIRE(all.size() == 5);
        CHECK(json::parse(all[4])["error"]["code"] == "oops");
        CHECK(r.complete);
    }
    SECTION("no [DONE]")
    {
        response const r = ask_stream(behavior().without_done());
        CHECK(r.body.find("[DONE]") == std::string::npos);
        CHECK(r.body.find("\"stop\"") != std::string::npos);
        CHECK(r.complete);
    }
    SECTION("[DONE] but no end")
    {
        p.on_next(behavior().left_open());
        raw_client client(p);
        client.send(stream());
        REQUIRE(client.read_until("[DONE]\n\n\r\n"));
        CHECK(client.fill(milliseconds(20)) == ending::timed_out);
        client.close();
        CHECK(answered(p));
    }
}

TEST_CASE("mock: whole answers that break", "[mock]")
{
    mock::provider p;
    auto const ask_whole = [&](behavior const& b) {
        p.on_next(b);
        return ask(p, whole());
    };
    response r = ask_whole(behavior().cut_after(3));
    CHECK(r.body.substr(r.body.size() - 14) == "tok1 tok2 tok3");
    CHECK_FALSE(r.complete);
    CHECK(r.end == ending::closed);

    r = ask_whole(behavior().reset_after(3));
    CHECK_FALSE(r.complete);
    CHECK(r.end == ending::reset);

    r = ask_whole(behavior().malformed_after(3));
    CHECK(r.complete);
    CHECK_FALSE(json::accept(r.body));

    r = ask_whole(behavior().error_after(3));
    CHECK(r.status == 200);
    CHECK(json::parse(r.body).contains("error"));

    // An error body can break, too.
    r = ask_whole(behavior().with_status(500).cut_after(0));
    CHECK(r.status == 500);
    CHECK_FALSE(r.complete);

    p.on_next(behavior().left_open());
    raw_client client(p);
    client.send(whole());
    REQUIRE(client.read_until("total_tokens"));
    CHECK(client.fill(milliseconds(20)) == ending::timed_out);
    client.close();
    CHECK(p.wait_until([&] { return p.requests().back().client_closed_early; }, patience));
}

TEST_CASE("mock: raw bytes", "[mock]")
{
    mock::provider p;
    std::string const bytes("HTTP/1.1 299 Odd\r\n\0Content-Length: 1\r\n\r\nx", 42);
    SECTION("keep")
    {
        p.on_next(behavior().with_raw("HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\nx"));
        raw_client client(p);
        client.send(whole());
        CHECK(client.read().body == "x");
        client.send(whole());
        CHECK(client.read().status == 200);
    }
    SECTION("close")
    {
        p.on_next(behavior().with_raw(bytes, mock::after_answer::close));
        raw_client client(p);
        client.send(whole());
        auto const all = client.read_all();
        CHECK(all.first == bytes);
        CHECK(all.second == ending::closed);
    }
    SECTION("reset")
    {
        p.on_next(behavior().with_raw(bytes, mock::after_answer::reset));
        raw_client client(p);
        client.send(whole());
        CHECK(client.read_all().second == ending::reset);
    }
    SECTION("nothing, kept")
    {
        p.on_next(behavior().with_raw(""));
        raw_client client(p);
        client.send(whole());
        REQUIRE(answered(p));
        client.send(whole());
        CHECK(client.read().status == 200);
    }
}

TEST_CASE("mock: framings", "[mock]")
{
    mock::provider p;
    for (bool const streamed : {false, true})
    {
        INFO("streamed: " << streamed);
        auto const ask_framed = [&](mock::framing f) {
            p.on_next(behavior().with_framing(f));
            return ask(p, streamed ? stream() : whole());
        };
        response const length = ask_framed(mock::framing::content_length);
        CHECK(length.complete);
        CHECK_FALSE(length.header("Content-Length").empty());
        CHECK(length.header("Transfer-Encoding").empty());
        response const chunked = ask_framed(mock::framing::chunked);
        CHECK(chunked.complete);
        CHECK(chunked.header("Content-Length").empty());
        response const closed = ask_framed(mock::framing::close);
        CHECK(closed.complete);
        CHECK(closed.header("Connection") == "close");
        CHECK(closed.header("Content-Length").empty());
        CHECK(closed.header("Transfer-Encoding").empty());
        auto const strip_id = [](std::string text) {
            for (std::size_t at; (at = text.find("\"id\"")) != std::string::npos;)
                text.erase(at, text.find("\"model\"", at) - at);
            return text;
        };
        CHECK(strip_id(length.body) == strip_id(chunked.body));
        CHECK(strip_id(length.body) == strip_id(closed.body));

        p.on_next(behavior().malformed_after(1).with_framing(mock::framing::content_length));
        CHECK(ask(p, streamed ? stream() : whole()).complete);
        p.on_next(behavior().error_after(1).with_framing(mock::framing::content_length));
        CHECK(ask(p, streamed ? stream() : whole()).complete);
    }

    behavior old;
    old.http_1_0 = true;
    for (std::string const& request : {whole(), stream(), post(chat_body("m", true), "", "1.0")})
    {
        if (request.find("HTTP/1.1") != std::string::npos)
            p.on_next(old);
        response const r = ask(p, request);
        CHECK(r.complete);
        CHECK(r.header("Transfer-Encoding").empty());
        CHECK(r.header("Connection") == "close");
    }
    p.on_next(old);
    CHECK(ask(p, whole()).head.substr(0, 12) == "HTTP/1.0 200");
}

TEST_CASE("mock: small writes", "[mock]")
{
    mock::provider p;
    p.on_next(behavior().written_slowly(1));
    response r = ask(p, stream());
    CHECK(r.complete);
    CHECK(stream_text(r.body) == "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8");
    p.on_next(behavior().with_text("a").written_slowly(100, milliseconds(1)));
    r = ask(p, whole());
    CHECK(r.complete);
    behavior b = behavior().with_tokens(10);
    b.batch = 4;
    p.on_next(b);
    CHECK(events(ask(p, stream()).body).size() == 13);
}

TEST_CASE("mock: connections that close", "[mock]")
{
    mock::provider p;
    raw_client client(p);
    SECTION("announced")
    {
        p.on_next(behavior().closing());
        client.send(whole());
        CHECK(client.read().header("Connection") == "close");
        CHECK(client.fill() == ending::closed);
    }
    SECTION("asked for by the client")
    {
        client.send(post(chat_body("m"), "Connection: close\r\n"));
        CHECK(client.read().header("Connection") == "close");
        CHECK(client.fill() == ending::closed);
    }
    SECTION("silently")
    {
        p.on_next(behavior().closing_silently());
        client.send(whole());
        CHECK(client.read().header("Connection").empty());
        CHECK(client.fill() == ending::closed);
    }
    SECTION("while idle, after a time")
    {
        behavior b;
        b.close_idle_after = milliseconds(5);
        p.on_next(b);
        client.send(whole());
        CHECK(client.read().complete);
        CHECK(client.fill() == ending::closed);
    }
    SECTION("while idle, now; but not those at work")
    {
        raw_client busy(p);
        p.on_next(behavior().stall_after(1));
        busy.send(stream());
        REQUIRE(busy.read_until("tok1"));
        client.send(whole());
        CHECK(client.read().complete);
        // The answer can arrive before the connection counts as idle.
        ending end = ending::timed_out;
        for (int i = 0; i < 1000 && end == ending::timed_out; ++i)
        {
            p.close_idle();
            end = client.fill(milliseconds(10));
        }
        CHECK(end == ending::closed);
        CHECK(p.wait_until([&] { return p.connections_open() == 1; }, patience));
        CHECK(busy.fill(milliseconds(10)) == ending::timed_out);
    }
}

TEST_CASE("mock: delays", "[mock]")
{
    mock::provider p;
    auto const time = [&](behavior const& b, std::string const& request) {
        p.on_next(b);
        auto const start = test_clock::now();
        CHECK(ask(p, request).complete);
        return test_clock::now() - start;
    };
    CHECK(time(behavior().delayed(milliseconds(30)), whole()) >= milliseconds(30));
    CHECK(time(behavior().with_tokens(4).paced(milliseconds(10), milliseconds(25)), stream()) >= milliseconds(55));
    CHECK(time(behavior().paced(milliseconds(10000), milliseconds(20)), whole()) >= milliseconds(20));

    // The client leaves while it waits.
    p.on_next(behavior().delayed(mock::forever));
    raw_client client(p);
    client.send(whole());
    REQUIRE(p.wait_until([&] { return p.requests().back().model == "mock" && p.request_count() == 4; }, patience));
    client.close();
    REQUIRE(answered(p, 4));
    CHECK(p.requests()[3].client_closed_early);
    CHECK(p.requests()[3].status == 0);
}

TEST_CASE("mock: a mix of faults repeats with its seed", "[mock]")
{
    auto const draw = [](std::uint64_t seed) {
        mock::provider p;
        p.set_faults(
            {mock::fault_share(0.3, behavior().with_status(500)), mock::fault_share(0.2, behavior().with_status(429))},
            seed);
        std::vector<int> statuses;
        raw_client client(p);
        for (int i = 0; i < 200; ++i)
        {
            client.send(whole());
            statuses.push_back(client.read().status);
        }
        return statuses;
    };
    auto const first = draw(1);
    CHECK(first == draw(1));
    CHECK(first != draw(2));
    CHECK(std::count(first.begin(), first.end(), 500) > 30);
    CHECK(std::count(first.begin(), first.end(), 500) < 90);
    CHECK(std::count(first.begin(), first.end(), 429) > 15);
    CHECK(std::count(first.begin(), first.end(), 429) < 70);
}
