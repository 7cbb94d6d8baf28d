// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "observe/alert_watch.hpp"

#include "catch.hpp"
#include "observed_calls.hpp"

#include <boost/asio/error.hpp>

#include <chrono>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using serin::alert_rule;
using serin::alert_state;
using serin::alert_watch;
using serin::errc;

namespace {

// One rule, told of calls; time goes on by what they take, or by hand.
class watched final : public serin::observer
{
public:
    explicit watched(alert_rule rule) : calls(*this), watch(with_short_recovery(std::move(rule)), calls.now) {}

    void on_attempt_ended(serin::attempt_ended const& event) override { watch.add(event); }
    void on_call_ended(serin::call_ended const& event) override { watch.add(event); }
    void on_first_token_received(serin::first_token_received const& event) override { watch.add(event); }

    void times(int n, std::chrono::steady_clock::duration took, serin::error_code ec = {},
        std::string const& upstream = "a", std::string const& model = "m")
    {
        for (int i = 0; i < n; ++i)
            calls.whole(upstream, model, took, ec);
    }

    bool fires() { return watch.check(calls.now).has_value(); }

    serin::test::observed_calls calls;
    alert_watch watch;

private:
    static alert_rule with_short_recovery(alert_rule rule)
    {
        rule.recovery = 0s;
        return rule;
    }
};

alert_rule p99_over(std::chrono::steady_clock::duration d)
{
    alert_rule r;
    r.p99 = d;
    return r;
}

alert_rule errors_over(double share)
{
    alert_rule r;
    r.error_rate = share;
    return r;
}

} // namespace

TEST_CASE("alert: p99 > 500 ms fires when more than one call in a hundred is slower, and recovers")
{
    watched w(p99_over(500ms));
    w.times(99, 500ms);
    w.times(1, 501ms);
    CHECK_FALSE(w.fires());
    w.times(1, 501ms);
    auto const a = w.watch.check(w.calls.now);
    REQUIRE(a);
    CHECK(a->state == alert_state::firing);
    CHECK(a->name == "p99 > 500 ms");
    CHECK(a->text.find(" for 101 calls, limit 500 ms, in the last 5 min") != std::string::npos);
    CHECK_FALSE(w.fires());

    w.calls.now += 5min;
    w.times(20, 100ms);
    auto const well = w.watch.check(w.calls.now);
    REQUIRE(well);
    CHECK(well->state == alert_state::recovered);
}

TEST_CASE("alert: p50 and p90 are about half and a tenth of the calls")
{
    alert_rule half;
    half.p50 = 100ms;
    watched w(half);
    w.times(10, 100ms);
    w.times(10, 101ms);
    CHECK_FALSE(w.fires());
    w.times(1, 101ms);
    CHECK(w.fires());

    alert_rule tenth;
    tenth.p90 = 100ms;
    watched v(tenth);
    v.times(90, 100ms);
    v.times(10, 101ms);
    CHECK_FALSE(v.fires());
    v.times(1, 101ms);
    CHECK(v.fires());
}

TEST_CASE("alert: too few calls say nothing about a percentile")
{
    watched w(p99_over(500ms));
    w.times(19, 1s);
    CHECK_FALSE(w.fires());
    w.times(1, 1s);
    CHECK(w.fires());
}

TEST_CASE("alert: a call that fails late is slow, one that fails at once is none")
{
    watched w(p99_over(500ms));
    w.times(18, 10ms);
    w.times(1000, 1ms, errc::overloaded);
    w.times(1, 2s, errc::first_byte_timeout);
    CHECK_FALSE(w.fires()); // 19
    w.times(1, 2s, errc::first_byte_timeout);
    CHECK(w.fires());
}

TEST_CASE("alert: error rate > 1 % fires with more errors than that, and recovers")
{
    watched w(errors_over(0.01));
    w.times(99, 1ms);
    w.times(1, 1ms, errc::overloaded);
    CHECK_FALSE(w.fires());
    w.times(1, 1ms, errc::server_error);
    auto const a = w.watch.check(w.calls.now);
    REQUIRE(a);
    CHECK(a->name == "error rate > 1 %");
    CHECK(a->text == "1.98 % failed of 101, limit 1 %, in the last 5 min");
    w.times(200, 1ms);
    CHECK(w.watch.check(w.calls.now)->state == alert_state::recovered);
}

TEST_CASE("alert: what is the caller's own fault is no error")
{
    watched w(errors_over(0.01));
    w.times(50, 1ms);
    for (auto const ec : {errc::invalid_request, errc::context_length_exceeded, errc::content_filtered, errc::refused,
             errc::length_limited, errc::too_many_rounds, errc::invalid_argument})
        w.times(50, 1ms, ec);
    w.times(50, 1ms, boost::asio::error::operation_aborted);
    CHECK_FALSE(w.fires());
    w.times(1, 1ms, errc::authentication);
    CHECK(w.fires());
}

TEST_CASE("alert: cost per hour is what the window comes to at its pace")
{
    alert_rule r;
    r.cost_per_hour = 12'000'000'000;
    watched w(r);
    w.calls.cost = 1'000'000'000;
    w.times(1, 1s);
    CHECK_FALSE(w.fires());
    w.calls.cost = 1;
    w.times(1, 1s);
    auto const a = w.watch.check(w.calls.now);
    REQUIRE(a);
    CHECK(a->name == "cost per hour > $12.00");
    CHECK(a->text == "$12.00 an hour, limit $12.00, in the last 5 min");
    w.calls.now += 5min;
    CHECK(w.watch.check(w.calls.now)->state == alert_state::recovered);
}

TEST_CASE("alert: no traffic fires after a window without a call, and not before")
{
    alert_rule r;
    r.no_traffic = true;
    watched w(r);
    CHECK_FALSE(w.fires());
    w.calls.now += 299s;
    CHECK_FALSE(w.fires());
    w.calls.now += 1s;
    auto const a = w.watch.check(w.calls.now);
    REQUIRE(a);
    CHECK(a->name == "no traffic");
    CHECK(a->text == "no call has ended, in the last 5 min");
    w.times(1, 1s, errc::overloaded);
    CHECK(w.watch.check(w.calls.now)->state == alert_state::recovered);
    w.calls.now += 299s;
    CHECK_FALSE(w.fires());
    w.calls.now += 1s;
    CHECK(w.fires());
}

TEST_CASE("alert: with an upstream a rule is about the attempts at it")
{
    auto r = errors_over(0.01);
    r.upstream = "a";
    watched w(r);
    w.times(100, 1ms, errc::overloaded, "b");
    w.times(100, 1ms);
    CHECK_FALSE(w.fires());
    w.times(100, 1ms, errc::overloaded, "a");
    auto const a = w.watch.check(w.calls.now);
    REQUIRE(a);
    CHECK(a->name == "error rate > 1 % at a");
    CHECK(a->text == "50 % failed of 200, limit 1 %, in the last 5 min, upstream a");
}

TEST_CASE("alert: with a model a rule is about the calls for it")
{
    auto r = errors_over(0.01);
    r.model = "fast";
    watched w(r);
    w.times(100, 1ms, errc::overloaded, "a", "slow");
    CHECK_FALSE(w.fires());
    w.times(100, 1ms, errc::overloaded, "a", "fast");
    CHECK(w.fires());
}

TEST_CASE("alert: percentiles of the time to the first token are about streams")
{
    auto r = p99_over(500ms);
    r.latency = serin::alert_latency::first_token;
    watched w(r);
    w.times(100, 2s);
    for (int i = 0; i < 30; ++i)
        w.calls.stream("a", "m", 400ms, {1s});
    CHECK_FALSE(w.fires());
    w.calls.stream("a", "m", 600ms, {1ms});
    auto const a = w.watch.check(w.calls.now);
    REQUIRE(a);
    CHECK(a->text.find("p99 to the first token is ") == 0);
}

TEST_CASE("alert: fires only after its hold time")
{
    auto r = p99_over(500ms);
    r.hold = 1min;
    watched w(r);
    w.times(20, 600ms);
    CHECK_FALSE(w.fires());
    w.calls.now += 59s;
    CHECK_FALSE(w.fires());
    w.calls.now += 1s;
    CHECK(w.fires());
}
