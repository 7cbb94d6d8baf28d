// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

// What every fault of a server comes to: for whole and streamed answers, with nobody else to ask and with a second
// upstream that is well. Waits between attempts take no time here; how long they would be is checked.

#include "catch.hpp"
#include "tries.hpp"

#include <serin/mock/provider.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::errc;
using serin::give_up;
using serin::mock::behavior;

namespace {

enum class calls
{
    both,
    whole,
    streamed,
};

// What a first attempt comes to that meets the fault, and who is asked then. The second attempt meets none.
struct fault_row
{
    char const* name;
    std::function<behavior()> make;
    calls which;
    errc cause;
    int status;
    char const* alone;                     // Who is asked with one upstream: "a" or "aa".
    char const* with_two;                  // The same with two: "a" or "ab".
    std::chrono::milliseconds rest{};      // The server wants to be left alone that long,
    std::chrono::milliseconds vagueness{}; // or that much less.
    void (*change)(serin::client_params&) = nullptr;
    give_up final_reason = give_up::not_retryable; // If it is final
};

constexpr auto soon = 500ms;

behavior status(int code)
{
    return behavior().with_status(code);
}

behavior error_200(std::string const& code)
{
    return behavior().error_in_200().with_error("it went wrong", "odd", code);
}

behavior error_event(std::size_t after, std::string const& code = "server_error")
{
    return behavior().error_after(after).with_error("it went wrong", "odd", code);
}

std::string http_date(std::chrono::system_clock::time_point at)
{
    std::time_t const t = std::chrono::system_clock::to_time_t(at);
    std::tm parts{};
    ::gmtime_r(&t, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text;
}

void own_model(serin::client_params& p)
{
    for (serin::upstream& u : p.upstreams)
        u.model = "its-own";
}

void impatient_head(serin::client_params& p)
{
    p.timeouts.first_byte = p.timeouts.first_byte_failover = soon;
}

void impatient_bytes(serin::client_params& p)
{
    p.timeouts.idle = soon;
}

void impatient_tokens(serin::client_params& p)
{
    p.timeouts.token_idle = soon;
}

void impatient_start(serin::client_params& p)
{
    p.timeouts.first_token = soon;
}

// clang-format off
std::vector<fault_row> const fault_rows = {
    // Refusals. The same for whole and streamed answers.
    {"400", [] { return status(400); }, calls::both, errc::invalid_request, 400, "a", "a"},
    {"401", [] { return status(401); }, calls::both, errc::authentication, 401, "a", "ab"},
    {"402", [] { return status(402); }, calls::both, errc::quota_exhausted, 402, "a", "ab"},
    {"403", [] { return status(403); }, calls::both, errc::permission, 403, "a", "a"},
    {"404 for the caller's model", [] { return status(404); }, calls::both, errc::not_found, 404, "a", "a"},
    {"404 for the upstream's model", [] { return status(404); }, calls::both, errc::not_found, 404, "a", "ab",
        0ms, 0ms, &own_model},
    {"413", [] { return status(413); }, calls::both, errc::invalid_request, 413, "a", "a"},
    {"422", [] { return status(422); }, calls::both, errc::invalid_request, 422, "a", "a"},
    {"context length", [] { return status(400).with_error("too long", "", "context_length_exceeded"); }, calls::both,
        errc::context_length_exceeded, 400, "a", "a"},
    {"content filter", [] { return status(400).with_error("no", "", "content_filter"); }, calls::both,
        errc::content_filtered, 400, "a", "a"},
    {"429 insufficient_quota",
        [] { return status(429).with_error("pay", "insufficient_quota", "insufficient_quota"); }, calls::both,
        errc::quota_exhausted, 429, "a", "ab"},
    {"301", [] { return status(301).with_header("Location", "http://127.0.0.1:1/"); }, calls::both, errc::redirected,
        301, "a", "ab"},
    {"307", [] { return status(307).with_header("Location", "http://127.0.0.1:1/"); }, calls::both, errc::redirected,
        307, "a", "ab"},

    // It cannot answer now.
    {"408", [] { return status(408); }, calls::both, errc::request_timeout, 408, "aa", "ab"},
    {"409", [] { return status(409); }, calls::both, errc::conflict, 409, "aa", "ab"},
    {"500", [] { return status(500); }, calls::both, errc::server_error, 500, "aa", "ab"},
    {"502", [] { return status(502); }, calls::both, errc::server_error, 502, "aa", "ab"},
    {"503", [] { return status(503); }, calls::both, errc::overloaded, 503, "aa", "ab"},
    {"503 with Retry-After", [] { return status(503).with_retry_after("7"); }, calls::both, errc::overloaded, 503,
        "aa", "ab", 7s},
    {"504", [] { return status(504); }, calls::both, errc::server_error, 504, "aa", "ab"},
    {"529", [] { return status(529); }, calls::both, errc::overloaded, 529, "aa", "ab"},
    {"429", [] { return status(429); }, calls::both, errc::rate_limited, 429, "aa", "ab"},
    {"429 with Retry-After: 20", [] { return status(429).with_retry_after("20"); }, calls::both, errc::rate_limited,
        429, "aa", "ab", 20s},
    {"429 with Retry-After: 0.25", [] { return status(429).with_retry_after("0.25"); }, calls::both,
        errc::rate_limited, 429, "aa", "ab", 250ms},
    {"429 with a date", [] { return status(429).with_retry_after(http_date(std::chrono::system_clock::now() + 30s)); },
        calls::both, errc::rate_limited, 429, "aa", "ab", 30s, 10s},
    {"429 with a date that is past",
        [] { return status(429).with_retry_after(http_date(std::chrono::system_clock::now() - 30s)); }, calls::both,
        errc::rate_limited, 429, "aa", "ab"},
    {"429 with retry-after-ms",
        [] { return status(429).with_header("retry-after-ms", "1500").with_retry_after("40"); }, calls::both,
        errc::rate_limited, 429, "aa", "ab", 1500ms},
    {"429 with a Retry-After that means nothing", [] { return status(429).with_retry_after("soon"); }, calls::both,
        errc::rate_limited, 429, "aa", "ab"},

    // The server's own word.
    {"400 with x-should-retry: true", [] { return status(400).with_header("x-should-retry", "true"); }, calls::both,
        errc::invalid_request, 400, "aa", "ab"},
    {"500 with x-should-retry: false", [] { return status(500).with_header("x-should-retry", "false"); }, calls::both,
        errc::server_error, 500, "a", "ab"},

    // No answer.
    {"close before the head", [] { return behavior().close_before_head(); }, calls::both, errc::connection_lost, 0,
        "aa", "ab"},
    {"reset before the head", [] { return behavior().reset_before_head(); }, calls::both, errc::connection_lost, 0,
        "aa", "ab"},
    {"no head in time", [] { return behavior().delayed(serin::mock::forever); }, calls::both, errc::first_byte_timeout,
        0, "aa", "ab", 0ms, 0ms, &impatient_head},
    {"a head that is cut", [] { return behavior().with_raw("HTTP/1.1 200 OK\r\nContent-", serin::mock::after_answer::close); },
        calls::both, errc::malformed_response, 0, "aa", "ab"},
    {"no HTTP", [] { return behavior().with_raw("SSH-2.0-OpenSSH\r\n\r\n", serin::mock::after_answer::close); },
        calls::both, errc::malformed_response, 0, "aa", "ab"},
    {"a content encoding", [] { return behavior().with_header("Content-Encoding", "gzip"); }, calls::both,
        errc::malformed_response, 200, "aa", "ab"},

    // Whole answers.
    {"cut in the body", [] { return behavior().cut_after(3); }, calls::whole, errc::malformed_response, 200, "aa",
        "ab"},
    {"reset in the body", [] { return behavior().reset_after(3); }, calls::whole, errc::malformed_response, 200, "aa",
        "ab"},
    {"stall in the body", [] { return behavior().stall_after(3); }, calls::whole, errc::idle_timeout, 200, "aa", "ab",
        0ms, 0ms, &impatient_bytes},
    {"malformed body", [] { return behavior().malformed_after(3); }, calls::whole, errc::malformed_response, 200, "aa",
        "ab"},
    {"an empty body", [] { return behavior().with_status(200, " "); }, calls::whole, errc::malformed_response, 200,
        "aa", "ab"},
    {"error object instead of an answer", [] { return error_event(0); }, calls::whole, errc::server_error, 200, "aa",
        "ab"},

    // Errors with status 200.
    {"error in a 200: server_error", [] { return error_200("server_error"); }, calls::both, errc::server_error, 200,
        "aa", "ab"},
    {"error in a 200: rate_limit_exceeded", [] { return error_200("rate_limit_exceeded"); }, calls::both,
        errc::rate_limited, 200, "aa", "ab"},
    {"error in a 200: insufficient_quota", [] { return error_200("insufficient_quota"); }, calls::both,
        errc::quota_exhausted, 200, "a", "ab"},
    {"error in a 200: invalid_request_error", [] { return error_200("invalid_request_error"); }, calls::both,
        errc::invalid_request, 200, "a", "a"},
    {"error in a 200: a code nobody knows", [] { return error_200("x7"); }, calls::both, errc::stream_error, 200, "aa",
        "ab"},

    // Streams, before the first token.
    {"error event before the first token", [] { return error_event(0); }, calls::streamed, errc::server_error, 200,
        "aa", "ab"},
    {"error event before the first token that is final", [] { return error_event(0, "context_length_exceeded"); },
        calls::streamed, errc::context_length_exceeded, 200, "a", "a"},
    {"cut before the first token", [] { return behavior().cut_after(0); }, calls::streamed, errc::stream_truncated,
        200, "aa", "ab"},
    {"reset before the first token", [] { return behavior().reset_after(0); }, calls::streamed,
        errc::stream_truncated, 200, "aa", "ab"},
    {"malformed before the first token", [] { return behavior().malformed_after(0); }, calls::streamed,
        errc::stream_error, 200, "aa", "ab"},
    {"no byte before the first token in time", [] { return behavior().stall_after(0); }, calls::streamed,
        errc::idle_timeout, 200, "aa", "ab", 0ms, 0ms, &impatient_bytes},
    {"no first token in time", [] { return behavior().paced(0ms, serin::mock::forever); }, calls::streamed,
        errc::first_token_timeout, 200, "aa", "ab", 0ms, 0ms, &impatient_start},

    // Streams, after it: the user has seen a part.
    {"error event after the first token", [] { return error_event(2); }, calls::streamed, errc::server_error, 200, "a",
        "a", 0ms, 0ms, nullptr, give_up::token_seen},
    {"cut after the first token", [] { return behavior().cut_after(2); }, calls::streamed, errc::stream_truncated, 200,
        "a", "a", 0ms, 0ms, nullptr, give_up::token_seen},
    {"reset after the first token", [] { return behavior().reset_after(2); }, calls::streamed, errc::stream_truncated,
        200, "a", "a", 0ms, 0ms, nullptr, give_up::token_seen},
    {"malformed after the first token", [] { return behavior().malformed_after(2); }, calls::streamed,
        errc::stream_error, 200, "a", "a", 0ms, 0ms, nullptr, give_up::token_seen},
    {"no next byte in time", [] { return behavior().stall_after(2); }, calls::streamed, errc::idle_timeout, 200, "a",
        "a", 0ms, 0ms, &impatient_bytes, give_up::token_seen},
    {"no next token in time", [] { return behavior().stall_after(2); }, calls::streamed, errc::token_idle_timeout, 200,
        "a", "a", 0ms, 0ms, &impatient_tokens, give_up::token_seen},
};
// clang-format on

// Each retry with a delay waits for what the server said and a random time of up to 0.5 s, 1 s, 2 s, 4 s, 8 s, 8 s...
void check_gaps(serin::diagnostics const& diag, std::vector<serin::duration> const& waits,
    std::chrono::milliseconds rest = {}, std::chrono::milliseconds vagueness = {})
{
    std::size_t delayed = 0;
    std::string before;
    for (serin::attempt const& a : diag.attempts)
    {
        CAPTURE(a.upstream, a.waited.count(), delayed);
        bool const failover = before.find(a.upstream) == std::string::npos;
        before += a.upstream;
        if (failover)
        {
            CHECK(a.waited == 0ms);
            continue;
        }
        auto const longest = std::min<serin::duration>(8s, 500ms * (1 << std::min<std::size_t>(delayed, 10)));
        CHECK(a.waited >= rest - vagueness);
        REQUIRE(delayed < waits.size());
        CHECK(waits[delayed] <= rest + longest); // As it was asked for: a.waited is what it came to
        ++delayed;
    }
    CHECK(waits.size() == delayed);
}

void check_row(fault_row const& row, bool streamed, bool two)
{
    serin::mock::provider first;
    serin::mock::provider second;
    first.on_next(row.make());
    second.set_default(behavior().with_text("from the second"));
    auto p = two ? upstreams_at({first.base_url(), second.base_url()}) : upstreams_at({first.base_url()});
    if (row.change)
        row.change(p);
    quick_session s(p);
    outcome const r = s.call(streamed);

    std::string const expected = two ? row.with_two : row.alone;
    CAPTURE(row.name, streamed, two, trail(r.diag), r.diag.message, serin::give_up_name(r.diag.gave_up));
    CHECK(asked(r.diag) == expected);
    REQUIRE_FALSE(r.diag.attempts.empty());
    CHECK(r.diag.attempts[0].error == row.cause);
    CHECK(r.diag.attempts[0].status == row.status);
    if (expected.size() == 1)
    {
        CHECK(r.ec == row.cause);
        CHECK(r.diag.gave_up == row.final_reason);
        CHECK(r.diag.upstream == "a");
        CHECK(r.diag.status == row.status);
    }
    else
    {
        CHECK_FALSE(r.ec);
        CHECK(r.diag.gave_up == give_up::none);
        CHECK(r.response.text() == (two ? "from the second" : "tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8"));
        CHECK(r.response.upstream == expected.substr(1));
        CHECK(r.diag.attempts.back().status == 200);
        CHECK_FALSE(r.diag.attempts.back().error);
        check_gaps(r.diag, s.clock->waits(), row.rest, row.vagueness);
    }
    CHECK(first.request_count() == static_cast<std::size_t>(std::count(expected.begin(), expected.end(), 'a')));
    CHECK(second.request_count() == static_cast<std::size_t>(std::count(expected.begin(), expected.end(), 'b')));
}

} // namespace

TEST_CASE("fault matrix: a first attempt that meets a fault")
{
    for (fault_row const& row : fault_rows)
        for (bool const streamed : {false, true})
        {
            if (row.which == (streamed ? calls::whole : calls::streamed))
                continue;
            check_row(row, streamed, false);
            check_row(row, streamed, true);
        }
}

TEST_CASE("fault matrix: a fault that stays")
{
    bool const streamed = GENERATE(false, true);
    for (fault_row const& row : fault_rows)
    {
        if (row.which == (streamed ? calls::whole : calls::streamed) || row.alone != std::string("aa"))
            continue;
        serin::mock::provider first;
        serin::mock::provider second;
        first.set_default(row.make());
        second.set_default(row.make());
        for (bool const two : {false, true})
        {
            auto p = two ? upstreams_at({first.base_url(), second.base_url()}) : upstreams_at({first.base_url()});
            p.timeouts.total = 1h;
            if (row.change)
                row.change(p);
            p.timeouts.first_byte = std::min<serin::duration>(p.timeouts.first_byte, 10s);
            quick_session s(p);
            std::size_t const before = first.request_count();
            outcome const r = s.call(streamed);
            CAPTURE(row.name, streamed, two, trail(r.diag), r.diag.message);
            CHECK(r.ec == row.cause);
            CHECK(r.diag.gave_up == give_up::attempts);
            // With a date it depends on the millisecond who may be asked first.
            if (row.vagueness == 0ms)
            {
                CHECK(asked(r.diag) == (two ? "ababa" : "aaaaa"));
                CHECK(first.request_count() - before == (two ? 3 : 5));
            }
            CHECK(first.request_count() - before + second.request_count() == 5);
            CHECK(r.diag.attempts.size() == 5);
            for (serin::attempt const& a : r.diag.attempts)
            {
                CHECK(a.error == row.cause);
                CHECK(a.status == row.status);
            }
            // With two, the second time that an upstream rests it has rested a while already. A date comes to pass.
            if (!two && row.vagueness == 0ms)
                check_gaps(r.diag, s.clock->waits(), row.rest, row.vagueness);
        }
    }
}

TEST_CASE("fault matrix: servers that cannot be reached")
{
    bool const streamed = GENERATE(false, true);
    refusing_port const refusing;
    serin::mock::provider_params with_tls;
    with_tls.tls = true;
    serin::mock::provider const tls_server(with_tls);
    serin::mock::provider const stranger(with_tls);
    serin::mock::provider const plain;

    struct unreachable
    {
        char const* name;
        std::string base_url;
        errc cause;
        serin::call_phase phase;
        std::string alone;
    };
    unreachable const table[] = {
        {"nobody listens", refusing.base_url(), errc::connect_failed, serin::call_phase::connect, "aaaaa"},
        {"no such name", "http://something.invalid/v1", errc::resolve_failed, serin::call_phase::resolve, "aaaaa"},
        {"a certificate that is not trusted", tls_server.base_url(), errc::tls_failed, serin::call_phase::tls, "a"},
        {"TLS to a server without", "https://127.0.0.1:" + std::to_string(plain.port()) + "/v1", errc::tls_failed,
            serin::call_phase::tls, "aaaaa"},
    };
    for (auto const& row : table)
    {
        auto p = upstreams_at({row.base_url});
        p.tls.ca_pem = stranger.ca_pem();
        {
            quick_session s(p);
            outcome const r = s.call(streamed);
            CAPTURE(row.name, streamed, trail(r.diag), r.diag.message);
            CHECK(r.ec == row.cause);
            CHECK(r.diag.phase == row.phase);
            CHECK(r.diag.status == 0);
            CHECK(asked(r.diag) == row.alone);
            CHECK(r.diag.gave_up == (row.alone == "a" ? give_up::not_retryable : give_up::attempts));
            check_gaps(r.diag, s.clock->waits());
        }
        {
            serin::mock::provider good;
            auto both = upstreams_at({row.base_url, good.base_url()});
            both.tls = p.tls;
            quick_session s(both);
            outcome const r = s.call(streamed);
            CAPTURE(row.name, streamed, trail(r.diag), r.diag.message);
            CHECK_FALSE(r.ec);
            CHECK(asked(r.diag) == "ab");
            CHECK(r.diag.attempts[0].error == row.cause);
            check_gaps(r.diag, s.clock->waits());
        }
    }
    CHECK(tls_server.request_count() == 0);
}
