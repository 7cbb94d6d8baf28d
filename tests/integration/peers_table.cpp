// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// The situations in which C++ clients for such servers differ most, each played on loopback, and a table of what this
// one does. Prints the table; every cell is checked. docs/comparison.md shows it beside others.

#include "answers.hpp"
#include "catch.hpp"
#include "tries.hpp"

#include <serin/mock/provider.hpp>

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::mock::behavior;

namespace {

class table
{
public:
    void add(std::string scenario, std::string cell) { rows_.emplace_back(std::move(scenario), std::move(cell)); }

    std::size_t size() const noexcept { return rows_.size(); }

    void print() const
    {
        std::printf("\n| scenario | serin |\n|---|---|\n");
        for (auto const& [scenario, cell] : rows_)
            std::printf("| %s | %s |\n", scenario.c_str(), cell.c_str());
        std::printf("\n");
        std::fflush(stdout);
    }

private:
    std::vector<std::pair<std::string, std::string>> rows_;
};

std::string seconds(serin::duration d)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", std::chrono::duration<double>(d).count());
    return text;
}

std::string kind(outcome const& r)
{
    return r.ec ? "error " + std::string(serin::kind_name(r.ec)) : "ok";
}

std::string tries(outcome const& r)
{
    std::size_t const n = r.diag.attempts.size();
    return std::to_string(n) + (n == 1 ? " try" : " tries");
}

std::string event(std::string const& text, std::string const& finish = "null")
{
    return R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)"
           R"({"content":")" +
           text + R"("},"finish_reason":)" + finish + "}]}";
}

// A stream of the events, each written as `before` event `after`, that ends with the connection.
behavior events(std::vector<std::string> const& list, std::string const& before, std::string const& after)
{
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    for (std::string const& e : list)
        bytes += before + e + after;
    return behavior().with_raw(bytes, serin::mock::after_answer::close);
}

// Nothing but the address is set.
serin::client_params defaults(std::string const& url)
{
    return upstreams_at({url});
}

void refused_certificate(table& t, std::string const& scenario, serin::mock::provider const& server,
    std::string const& trusted_ca, std::string const& word)
{
    auto p = defaults(server.base_url());
    p.tls.ca_pem = trusted_ca;
    quick_session s(p);
    outcome const r = s.chat();
    CAPTURE(scenario, r.diag.message);
    CHECK(r.ec == errc::tls_failed);
    CHECK(server.request_count() == 0);
    CHECK_THAT(r.diag.message, ContainsSubstring(word));
    t.add(scenario, "refused: " + kind(r) + ", nothing was sent");
}

} // namespace

TEST_CASE("what clients differ in")
{
    table t;
    {
        serin::mock::provider server;
        session s(defaults(server.base_url()));
        for (int i = 0; i < 20; ++i)
            CHECK_FALSE(s.chat().ec);
        CHECK(server.connections_accepted() == 1);
        t.add("20 sequential chats -> TCP conns", std::to_string(server.connections_accepted()));
    }
    {
        serin::mock::provider server;
        server.set_keys({"sk-right"});
        quick_session s(defaults(server.base_url()));
        outcome const r = s.chat();
        CHECK(r.ec == errc::authentication);
        CHECK(r.diag.status == 401);
        CHECK(r.diag.code == "invalid_api_key");
        CHECK_FALSE(r.diag.message.empty());
        CHECK_FALSE(r.diag.body.empty());
        CHECK(r.diag.attempts.size() == 1);
        t.add("401 JSON",
            kind(r) + ", " + tries(r) + "; status " + std::to_string(r.diag.status) + ", code, message and body kept");
    }
    {
        serin::mock::provider server;
        server.on_next(behavior().with_status(429).with_retry_after("1"));
        server.on_next(behavior().with_status(429).with_retry_after("1"));
        quick_session s(defaults(server.base_url()));
        outcome const r = s.chat();
        CHECK_FALSE(r.ec);
        REQUIRE(r.diag.attempts.size() == 3);
        auto const first = r.diag.attempts[1].waited;
        auto const second = r.diag.attempts[2].waited;
        CHECK(first >= 1s);
        CHECK(first < 2s);
        CHECK(second >= 1s);
        CHECK(second < 3s);
        t.add("429, Retry-After: 1, twice", kind(r) + ", " + tries(r) + ", gaps of 1 s and a random time on top");
    }
    {
        serin::mock::provider server;
        server.set_default(behavior()
                               .with_status(503, "upstream connect error or disconnect")
                               .with_header("Content-Type", "text/plain"));
        quick_session s(defaults(server.base_url()));
        outcome const r = s.chat();
        CHECK(r.ec == errc::overloaded);
        CHECK(r.diag.status == 503);
        CHECK(r.diag.message == "upstream connect error or disconnect");
        CHECK(r.diag.attempts.size() == 5);
        t.add("503 plain text", kind(r) + ", " + tries(r) + "; status and text kept");
    }
    {
        serin::mock::provider server;
        server.set_default(events({event("one"), event(" two"), event("", R"("stop")"), "[DONE]"}, "data:", "\n\n"));
        quick_session s(defaults(server.base_url()));
        outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        CHECK(r.response.text() == "one two");
        CHECK(r.response.finish_reason() == "stop");
        t.add("SSE `data:{...}` (no space)", kind(r));
    }
    {
        std::string const text = "h\xc3\xa9llo data: x";
        serin::mock::provider server;
        quick_session s(defaults(server.base_url()));
        server.set_default(events({event(text), event("", R"("stop")"), "[DONE]"}, "data: ", "\r\n\r\n"));
        outcome const lines = s.stream();
        CHECK_FALSE(lines.ec);
        CHECK(lines.response.text() == text);
        server.set_default(behavior().with_text(text).written_slowly(1));
        outcome const bytes = s.stream();
        CHECK_FALSE(bytes.ec);
        CHECK(bytes.response.text() == text);
        t.add("SSE CRLF / 1-byte chunks", kind(lines) + " / " + kind(bytes) + ", `" + bytes.response.text() + "` kept");
    }
    {
        serin::mock::provider server;
        server.set_default(
            events({event("one"), R"({"error":{"message":"it broke","type":"server_error","code":"server_error"}})"},
                "data: ", "\n\n"));
        quick_session s(defaults(server.base_url()));
        stream_outcome const r = s.stream();
        CHECK(r.ec == errc::server_error);
        CHECK(r.diag.message == "it broke");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == "one");
        CHECK(r.diag.partial->finish_reason().empty());
        CHECK(r.diag.attempts.size() == 1);
        t.add("in-band `{\"error\":...}` then EOF", kind(r) + " with the server's message and the partial answer");
    }
    {
        serin::mock::provider server;
        server.set_default(behavior().cut_after(3));
        quick_session s(defaults(server.base_url()));
        stream_outcome const r = s.stream();
        CHECK(r.ec == errc::stream_truncated);
        CHECK(r.deltas.size() == 3);
        CHECK(r.text() == "tok1 tok2 tok3");
        REQUIRE(r.diag.partial);
        CHECK(r.diag.partial->text() == r.text());
        CHECK(server.request_count() == 1);
        t.add("connection cut mid-stream", kind(r) + " with the partial answer, " + tries(r) + ", no token twice");
    }
    {
        // In the proportion of 35 s to the 60 s that are allowed unless something else is said.
        auto const pause = 700ms;
        auto const allowed = 1200ms;
        CHECK(serin::timeout_params().token_idle == 60s);
        serin::mock::provider server;
        server.set_default(behavior().with_tokens(3).paced(pause));
        auto p = defaults(server.base_url());
        p.timeouts.token_idle = allowed;
        quick_session s(p);
        stream_outcome const r = s.stream();
        CHECK_FALSE(r.ec);
        CHECK(r.text() == "tok1 tok2 tok3");
        t.add("35 s pause between tokens", kind(r) + " (played with " + seconds(pause) + " s, and " + seconds(allowed) +
                                               " s in place of the 60 s that a pause may last; configurable)");
    }
    {
        auto const allowed = 400ms;
        serin::mock::provider server;
        server.set_default(behavior().with_tokens(3).paced(1s));
        auto p = defaults(server.base_url());
        p.timeouts.token_idle = allowed;
        quick_session s(p);
        auto const began = std::chrono::steady_clock::now();
        stream_outcome const r = s.stream();
        CHECK(std::chrono::steady_clock::now() - began >= allowed);
        CHECK(r.ec == errc::token_idle_timeout);
        CHECK(r.text() == "tok1");
        CHECK(server.request_count() == 1);
        t.add("5 s pause, client timeout 2 s", kind(r) + " with the partial answer, " + tries(r) +
                                                   ", nothing replayed (played with 1 s and " + seconds(allowed) +
                                                   " s)");
    }
    {
        serin::mock::provider server;
        session s(defaults(server.base_url()));
        CHECK_FALSE(s.chat().ec);
        close_idle(server);
        outcome const r = s.chat();
        CHECK_FALSE(r.ec);
        CHECK(r.diag.attempts.size() == 1);
        CHECK(server.connections_accepted() == 2);
        t.add("server closes idle keep-alive conn", kind(r) + ", " + tries(r) + " on a new connection");
    }
    {
        serin::mock::provider_params elsewhere;
        elsewhere.tls = true;
        elsewhere.certificate_host = "elsewhere.example";
        serin::mock::provider const server(elsewhere);
        refused_certificate(t, "cert for another host, CA trusted", server, server.ca_pem(), "IP address mismatch");
    }
    {
        serin::mock::provider_params with_tls;
        with_tls.tls = true;
        serin::mock::provider const server(with_tls);
        serin::mock::provider const stranger(with_tls);
        refused_certificate(t, "untrusted self-signed cert, right host", server, stranger.ca_pem(), "certificate");
        // The same server, trusted, is no stranger.
        auto p = defaults(server.base_url());
        p.tls.ca_pem = server.ca_pem();
        CHECK_FALSE(quick_session(p).chat().ec);
    }
    t.print();
    CHECK(t.size() == 13);
}
