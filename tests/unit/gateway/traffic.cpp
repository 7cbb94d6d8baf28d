// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "gateway/traffic.hpp"

#include "catch.hpp"

#include <boost/asio/error.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::attempt;
using serin::errc;
using serin::gateway::traffic;
using serin::gateway::traffic_figures;
using serin::gateway::traffic_request;

namespace {

traffic::time_point const start(1000s);
std::chrono::system_clock::time_point const date(5000s);

attempt tried(std::string upstream, serin::error_code ec = {}, int status = 200)
{
    attempt a;
    a.upstream = std::move(upstream);
    a.error = ec;
    a.status = status;
    return a;
}

class table
{
public:
    traffic counts;

    // The upstream of the last attempt answers, unless that failed.
    void add(std::vector<attempt> const& attempts, traffic::time_point now, std::chrono::milliseconds took = 100ms,
        std::uint64_t tokens = 0, std::chrono::milliseconds to_first_token = 0ms)
    {
        traffic_request r;
        r.alias = "fast";
        r.attempts = &attempts;
        r.took = took;
        r.to_first_token = to_first_token;
        r.tokens = tokens;
        r.upstream = attempts.empty() ? "" : attempts.back().upstream;
        r.error = attempts.empty() ? serin::error_code(errc::overloaded) : attempts.back().error;
        counts.add(r, now, date);
    }

    traffic_figures of(std::string const& upstream, traffic::time_point now)
    {
        for (traffic_figures const& f : counts.figures(now))
            if (f.upstream == upstream)
                return f;
        FAIL("no figures of " << upstream);
        return {};
    }
};

} // namespace

TEST_CASE("traffic: shares are those of the answers of all upstreams")
{
    table t;
    for (int i = 0; i < 3; ++i)
        t.add({tried("a")}, start, 100ms, 10);
    t.add({tried("b")}, start, 100ms, 5);
    traffic_figures const a = t.of("a", start);
    CHECK(a.answered == 3);
    CHECK(a.failed == 0);
    CHECK(a.tokens == 30);
    CHECK(a.share == 0.75);
    CHECK(t.of("b", start).share == 0.25);
    CHECK(t.counts.failures().empty());
}

TEST_CASE("traffic: an attempt that failed counts for its upstream, and the answer for the one that gave it")
{
    table t;
    t.add({tried("a", errc::overloaded, 503), tried("b")}, start);
    CHECK(t.of("a", start).answered == 0);
    CHECK(t.of("a", start).failed == 1);
    CHECK(t.of("b", start).answered == 1);
    CHECK(t.of("b", start).failed == 0);
    REQUIRE(t.counts.failures().size() == 1);
    auto const& f = t.counts.failures().front();
    CHECK(f.at == date);
    CHECK(f.alias == "fast");
    CHECK(f.upstream == "a");
    CHECK(f.kind == "overloaded");
    CHECK(f.status == 503);
    CHECK(f.answered);
}

TEST_CASE("traffic: a request that nobody answered is told so, and has no latency")
{
    table t;
    t.add({tried("a", errc::server_error, 500)}, start);
    CHECK(t.of("a", start).failed == 1);
    CHECK(t.of("a", start).answered == 0);
    CHECK(t.of("a", start).share == 0);
    CHECK_FALSE(t.of("a", start).p50);
    REQUIRE(t.counts.failures().size() == 1);
    CHECK_FALSE(t.counts.failures().front().answered);
}

TEST_CASE("traffic: an attempt that was stopped is no failure")
{
    table t;
    t.add({tried("a", boost::asio::error::operation_aborted, 0), tried("b")}, start);
    CHECK(t.counts.failures().empty());
    CHECK(t.of("b", start).answered == 1);
}

TEST_CASE("traffic: a request without an attempt counts for nobody")
{
    table t;
    t.add({}, start);
    CHECK(t.counts.figures(start).empty());
    CHECK(t.counts.failures().empty());
}

TEST_CASE("traffic: quantiles of the latency, and of the first token for streams alone")
{
    table t;
    for (int i = 1; i <= 100; ++i)
        t.add({tried("a")}, start, i * 10ms);
    traffic_figures f = t.of("a", start);
    auto const near = [](auto const& d, std::chrono::microseconds expected) {
        REQUIRE(d);
        CHECK(*d >= expected * 96 / 100);
        CHECK(*d <= expected * 104 / 100);
    };
    near(f.p50, 500ms);
    near(f.p95, 950ms);
    near(f.p99, 990ms);
    CHECK_FALSE(f.first_token_p50);
    t.add({tried("a")}, start, 100ms, 0, 20ms);
    near(t.of("a", start).first_token_p50, 20ms);
    near(t.of("a", start).first_token_p99, 20ms);
}

TEST_CASE("traffic: after a minute what was is forgotten, but not who was asked")
{
    table t;
    t.add({tried("a")}, start);
    t.add({tried("a")}, start + 30s);
    CHECK(t.of("a", start + 54s).answered == 2);
    CHECK(t.of("a", start + 60s).answered == 1);
    CHECK(t.of("a", start + 84s).answered == 1);
    CHECK(t.of("a", start + 90s).answered == 0);
    CHECK(t.of("a", start + 1h).answered == 0);
    // The place of a step of long ago is taken anew.
    t.add({tried("a")}, start + 1h);
    CHECK(t.of("a", start + 1h).answered == 1);
}

TEST_CASE("traffic: only the latest failures are kept, newest first")
{
    table t;
    for (int i = 0; i < 120; ++i)
        t.add({tried("a", errc::server_error, 500 + i)}, start);
    auto const& failures = t.counts.failures();
    REQUIRE(failures.size() == 50);
    CHECK(failures.front().status == 619);
    CHECK(failures.back().status == 570);
    CHECK(t.of("a", start).failed == 120);
}
