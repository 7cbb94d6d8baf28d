// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/rollout.hpp"

#include "policy/stable_hash.hpp"

#include "catch.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using serin::outcome;
using serin::rollout;
using serin::rollout_change;
using serin::rollout_event;
using serin::rollout_params;
using serin::rollout_side;
using serin::rollout_state;
using serin::rollout_status;
using serin::steady_time;

namespace {

using duration = steady_time::duration;

steady_time const start(5000s);
std::chrono::system_clock::time_point const today(std::chrono::hours(24 * 365 * 56));

rollout_params params_of(std::optional<duration> p99 = 300ms)
{
    rollout_params p;
    p.candidate = "canary";
    p.hold = 1h;
    p.gates.window = 10min;
    p.gates.p99 = p99;
    return p;
}

// Requests of a side, all alike.
struct traffic
{
    int successes = 0;
    int failures = 0;
    int limited = 0;
    int neutral = 0;
    duration took = 100ms;
    int slow = 0; // Of the successes
    duration slow_took = 1s;
};

void send(rollout& r, rollout_side side, traffic const& t, steady_time now)
{
    auto const add = [&](int n, outcome what, duration took) {
        for (int i = 0; i < n; ++i)
            r.add(side, what, took, took / 2, now);
    };
    add(t.successes - t.slow, outcome::success, t.took);
    add(t.slow, outcome::success, t.slow_took);
    add(t.failures, outcome::failure, 1ms);
    add(t.limited, outcome::limited, 1ms);
    add(t.neutral, outcome::neutral, 1ms);
}

// Sends the same every minute, until something happens or the time is over.
rollout_event run(rollout& r, traffic const& candidate, traffic const& others, steady_time& now, duration time)
{
    for (auto const end = now + time; now < end;)
    {
        send(r, rollout_side::candidate, candidate, now);
        send(r, rollout_side::others, others, now);
        now += 1min;
        auto e = r.advance(now);
        if (e.what != rollout_change::none)
            return e;
    }
    return {};
}

} // namespace

TEST_CASE("rollout: walks through the stages, each held for its time")
{
    rollout r(params_of(), start);
    CHECK(r.status() == rollout_status::running);
    CHECK(r.share() == 0.10);
    steady_time now = start;
    double const shares[] = {0.30, 0.50, 1.00};
    for (std::size_t i = 0; i < 3; ++i)
    {
        auto const began = now;
        auto const e = run(r, {200, 1}, {1000, 5}, now, 5h);
        CAPTURE(i);
        CHECK(e.what == rollout_change::promoted);
        CHECK(e.stage == i + 1);
        CHECK(e.share == shares[i]);
        CHECK(r.share() == shares[i]);
        CHECK(now - began == 1h);
        CHECK_THAT(e.why, ContainsSubstring("error rate 0.50 %"));
        CHECK_THAT(e.why, ContainsSubstring("success rate 99.50 %"));
        CHECK_THAT(e.why, ContainsSubstring("p99 of the duration of calls 100 ms"));
    }
    // Nobody is left to compare with.
    auto const e = run(r, {1200, 6}, {}, now, 5h);
    CHECK(e.what == rollout_change::completed);
    CHECK(r.status() == rollout_status::completed);
    CHECK(r.share() == 1);
    CHECK(r.next() == steady_time::max());
    // What comes now is not judged any more.
    CHECK(run(r, {0, 500}, {}, now, 1h).what == rollout_change::none);
    CHECK(r.share() == 1);
}

TEST_CASE("rollout: every gate rolls back, and says why")
{
    struct row
    {
        char const* what;
        traffic candidate;
        traffic others;
        std::optional<duration> p99;
        std::vector<char const*> why;
    };
    row const rows[] = {
        {"error rate", {95, 5}, {1000, 1}, 300ms, {"error rate ", " is over the gate of 1.00 %", " of "}},
        {"dead", {0, 100}, {1000, 1}, 300ms, {"error rate 100.00 % (100 of 100) is over the gate of 1.00 %"}},
        {"error rate of the others", {995, 5}, {9999, 1}, 300ms,
            {"error rate 0.50 %", " is more than 1.50 times that of the others, 0.01 %"}},
        {"success rate", {95, 0, 5}, {1000, 1}, 300ms,
            {"success rate 95.00 %", "refused by a rate limit", "is under the gate of 99.00 %"}},
        {"p99", {100, 0, 0, 0, 100ms, 5, 500ms}, {1000, 1}, 300ms,
            {"p99 of the duration of calls 50", " ms", "is over the gate of 300 ms"}},
        {"p99 of the others", {200, 0, 0, 0, 100ms, 10, 250ms}, {1000, 0, 0, 0, 100ms}, 300ms,
            {"p99 of the duration of calls 25", "is more than 1.50 times that of the others, 10"}},
    };
    for (row const& one : rows)
    {
        CAPTURE(one.what);
        rollout r(params_of(one.p99), start);
        steady_time now = start;
        auto const e = run(r, one.candidate, one.others, now, 1h);
        CHECK(e.what == rollout_change::rolled_back);
        CHECK(e.share == 0);
        CHECK(r.share() == 0);
        CHECK(r.status() == rollout_status::rolled_back);
        CHECK(r.why() == e.why);
        for (char const* const part : one.why)
            CHECK_THAT(e.why, ContainsSubstring(part));
        CHECK(now < start + 1h);
        // For good
        CHECK(run(r, {1000, 0}, {1000, 0}, now, 10h).what == rollout_change::none);
        CHECK(r.share() == 0);
    }
}

TEST_CASE("rollout: the same without the gate or the comparison passes")
{
    rollout_params p = params_of();
    p.gates.times_others = std::numeric_limits<double>::infinity();
    p.gates.error_rate.reset();
    p.gates.p99.reset();
    p.gates.success_rate = 0.5;
    rollout r(p, start);
    steady_time now = start;
    CHECK(run(r, {180, 20, 20, 0, 10s}, {1000, 0}, now, 5h).what == rollout_change::promoted);
}

TEST_CASE("rollout: mistakes of callers, filtered content and cancellations do not count")
{
    rollout r(params_of(), start);
    steady_time now = start;
    CHECK(run(r, {200, 0, 0, 5000}, {1000, 1}, now, 2h).what == rollout_change::promoted);
    // Nor do they make up for requests that are missing.
    CHECK(run(r, {1, 0, 0, 5000}, {1000, 1}, now, 2h).what == rollout_change::none);
    CHECK(r.why() == "has 120 of 1000 requests");
}

TEST_CASE("rollout: too few requests decide nothing")
{
    rollout_params p = params_of();
    rollout r(p, start);
    steady_time now = start;
    // 10 in an hour, after which it could have been promoted, and all that fail are one.
    for (int i = 0; i < 10; ++i)
    {
        send(r, rollout_side::candidate, {i == 3 ? 0 : 1, i == 3 ? 1 : 0}, now);
        now += 10min;
        CHECK(r.advance(now).what == rollout_change::none);
    }
    CHECK(r.why() == "has 10 of 1000 requests");
    // 19 that fail without exception are too few to roll back by, 20 are not.
    p.stages = {0.5, 1};
    rollout bad(p, start);
    now = start;
    send(bad, rollout_side::candidate, {0, 19}, now);
    CHECK(bad.advance(now += 1min).what == rollout_change::none);
    send(bad, rollout_side::candidate, {0, 1}, now);
    CHECK(bad.advance(now += 1min).what == rollout_change::rolled_back);

    // A slow service gathers for longer than the window.
    rollout slow(params_of(), start);
    now = start;
    CHECK(run(slow, {10, 0}, {90, 0}, now, 99min).what == rollout_change::none);
    CHECK(run(slow, {10, 0}, {90, 0}, now, 2min).what == rollout_change::promoted);
}

TEST_CASE("rollout: a figure over its gate by chance is in the way of a promotion, and of no more")
{
    rollout_params p = params_of();
    p.gates.window = 1h;
    rollout r(p, start);
    steady_time now = start;
    // 12 of 1000 at a gate of 10 of 1000
    send(r, rollout_side::candidate, {988, 12}, now);
    now += 61min;
    CHECK(r.advance(now).what == rollout_change::none);
    CHECK_THAT(
        r.why(), ContainsSubstring("error rate 1.20 % (12 of 1000) is over the gate of 1.00 %, which may be chance"));
    CHECK(r.status() == rollout_status::running);
    // It gets better.
    CHECK(run(r, {100, 0}, {}, now, 1h).what == rollout_change::promoted);
}

TEST_CASE("rollout: the time to the first token, if the gate says so")
{
    rollout_params p = params_of(300ms);
    p.gates.p99_of = serin::rollout_latency::first_token;
    rollout r(p, start);
    steady_time now = start;
    // `send` has the first token come after half of the time.
    CHECK(run(r, {200, 0, 0, 0, 500ms}, {1000, 0, 0, 0, 500ms}, now, 2h).what == rollout_change::promoted);
    auto const e = run(r, {200, 0, 0, 0, 800ms}, {1000, 0, 0, 0, 800ms}, now, 2h);
    CHECK(e.what == rollout_change::rolled_back);
    CHECK_THAT(e.why, ContainsSubstring("p99 of the time to first token 399 ms"));

    rollout none(p, start);
    now = start;
    for (int i = 0; i < 2000; ++i)
        none.add(rollout_side::candidate, outcome::success, 100ms, {}, now);
    CHECK(none.advance(start + 2h).what == rollout_change::none);
    CHECK(none.why() == "p99 of the time to first token: nothing is known");
}

TEST_CASE("rollout: what was good for hours does not hide what is bad now")
{
    rollout_params p = params_of();
    p.hold = 48h;
    rollout r(p, start);
    steady_time now = start;
    REQUIRE(run(r, {100, 0}, {900, 1}, now, 47h).what == rollout_change::none);
    auto const then = now;
    CHECK(run(r, {90, 10}, {900, 1}, now, 1h).what == rollout_change::rolled_back);
    CHECK(now - then <= 6min);
}

TEST_CASE("rollout: by hand")
{
    rollout r(params_of(), start);
    steady_time now = start;
    CHECK(r.resume(now).what == rollout_change::none);
    auto e = r.promote(now);
    CHECK(e.what == rollout_change::promoted);
    CHECK(e.share == 0.30);
    CHECK(e.why == "by hand");

    // A pause does not count for the stage.
    REQUIRE(run(r, {200, 0}, {200, 0}, now, 30min).what == rollout_change::none);
    CHECK(r.pause(now).what == rollout_change::paused);
    CHECK(r.pause(now).what == rollout_change::none);
    CHECK(run(r, {200, 0}, {200, 0}, now, 10h).what == rollout_change::none);
    CHECK(r.share() == 0.30);
    CHECK(r.held() == 30min);
    CHECK(r.held(now + 1h) == 30min);
    CHECK(r.resume(now).what == rollout_change::resumed);
    CHECK(r.held(now + 1min) == 31min);
    auto const resumed = now;
    CHECK(run(r, {200, 0}, {200, 0}, now, 2h).what == rollout_change::promoted);
    CHECK(now - resumed == 30min);

    // A paused one that fails is rolled back all the same.
    CHECK(r.pause(now).what == rollout_change::paused);
    CHECK(run(r, {100, 100}, {200, 0}, now, 1h).what == rollout_change::rolled_back);
    CHECK(r.promote(now).what == rollout_change::none);
    CHECK(r.abort(now).what == rollout_change::none);

    e = r.restart(now);
    CHECK(e.what == rollout_change::restarted);
    CHECK(e.share == 0.10);
    CHECK(run(r, {200, 0}, {200, 0}, now, 2h).what == rollout_change::promoted);
    e = r.abort(now);
    CHECK(e.what == rollout_change::aborted);
    CHECK(r.status() == rollout_status::rolled_back);
    CHECK(r.share() == 0);

    r.restart(now);
    for (int i = 0; i < 3; ++i)
        CHECK(r.promote(now).what == rollout_change::promoted);
    CHECK(r.promote(now).what == rollout_change::completed);
    CHECK(r.promote(now).what == rollout_change::none);
    CHECK(r.share() == 1);
}

TEST_CASE("rollout: what is paused is not promoted even when its time is over")
{
    rollout r(params_of(), start);
    steady_time now = start;
    REQUIRE(run(r, {1, 0}, {}, now, 2h).what == rollout_change::none);
    REQUIRE(r.held() == 2h);
    r.pause(now);
    CHECK(run(r, {200, 0}, {}, now, 2h).what == rollout_change::none);
    CHECK_THAT(r.why(), ContainsSubstring("paused; error rate 0.00 %"));
    r.resume(now);
    CHECK(run(r, {200, 0}, {}, now, 2h).what == rollout_change::promoted);
}

TEST_CASE("rollout: looking again at the same figures costs nothing")
{
    rollout r(params_of(), start);
    send(r, rollout_side::candidate, {500, 0}, start);
    for (int i = 1; i <= 10; ++i)
        r.advance(start + i * 1min);
    CHECK(r.save(start + 10min, today).looks == 1);
    send(r, rollout_side::others, {1, 0}, start + 10min);
    r.advance(start + 11min);
    CHECK(r.save(start + 11min, today).looks == 2);
    // Nor does asking too often.
    send(r, rollout_side::others, {1, 0}, start + 11min);
    r.advance(start + 11min);
    CHECK(r.save(start + 11min, today).looks == 2);
}

TEST_CASE("rollout: goes on after a restart where it was")
{
    rollout before(params_of(), start);
    steady_time now = start;
    REQUIRE(run(before, {200, 0}, {1000, 0}, now, 2h).what == rollout_change::promoted);
    REQUIRE(run(before, {200, 0}, {1000, 0}, now, 40min).what == rollout_change::none);
    auto const saved = serin::rollout_state_from_text(to_text(before.save(now, today)));
    REQUIRE(saved);
    CHECK(saved->looks == 100);

    // The steady clock of the next process has another beginning.
    steady_time other(3s);
    rollout after(params_of(), other);
    REQUIRE(after.restore(*saved, other, today + 5min));
    CHECK(after.status() == rollout_status::running);
    CHECK(after.stage() == 1);
    CHECK(after.share() == 0.30);
    CHECK(after.held() == 45min);
    auto const began = other;
    CHECK(run(after, {200, 0}, {1000, 0}, other, 2h).what == rollout_change::promoted);
    CHECK(other - began == 15min);
    CHECK(after.save(other, today).looks == 115);
}

TEST_CASE("rollout: figures are gathered anew after a restart")
{
    rollout_state s;
    s.candidate = "canary";
    s.stage = 2;
    s.held = 1h;
    s.saved = today;
    rollout r(params_of(), start);
    REQUIRE(r.restore(s, start, today));
    steady_time now = start;
    CHECK(run(r, {200, 0}, {200, 0}, now, 4min).what == rollout_change::none);
    CHECK(r.why() == "has 800 of 1000 requests");
    CHECK(run(r, {200, 0}, {200, 0}, now, 1min).what == rollout_change::promoted);
}

TEST_CASE("rollout: a system clock that jumps adds no more than a window, and takes nothing away")
{
    rollout_state s;
    s.candidate = "canary";
    s.held = 20min;
    s.saved = today;
    using clock = std::chrono::system_clock;
    struct row
    {
        clock::time_point now;
        duration held;
    };
    for (auto const& one :
        {row{today, 20min}, row{today + 3min, 23min}, row{today - 24h, 20min}, row{today + 24h * 3650, 30min},
            row{clock::time_point::min(), 20min}, row{clock::time_point::max(), 30min}})
    {
        rollout r(params_of(), start);
        REQUIRE(r.restore(s, start, one.now));
        CHECK(r.held() == one.held);
    }
    // Time does not pass for one that is paused.
    s.status = rollout_status::paused;
    rollout r(params_of(), start);
    REQUIRE(r.restore(s, start, today + 5min));
    CHECK(r.status() == rollout_status::paused);
    CHECK(r.held() == 20min);
}

TEST_CASE("rollout: every status survives a restart")
{
    for (auto const status :
        {rollout_status::running, rollout_status::paused, rollout_status::completed, rollout_status::rolled_back})
    {
        rollout_state s;
        s.candidate = "canary";
        s.status = status;
        s.stage = 3;
        s.why = "as it was";
        rollout r(params_of(), start);
        REQUIRE(r.restore(s, start, today));
        CHECK(r.status() == status);
        CHECK(r.share() == (status == rollout_status::rolled_back ? 0 : 1));
        CHECK(r.why() == "as it was");
    }
    rollout_state s;
    s.candidate = "somebody else";
    s.stage = 2;
    rollout r(params_of(), start);
    CHECK_FALSE(r.restore(s, start, today));
    CHECK(r.stage() == 0);
    // There are fewer stages now.
    s.candidate = "canary";
    s.stage = 17;
    CHECK(r.restore(s, start, today));
    CHECK(r.stage() == 3);
}

TEST_CASE("rollout_state: text and back")
{
    rollout_state s;
    s.candidate = "a %name\nof\r\t\x7f two lines ";
    s.status = rollout_status::rolled_back;
    s.stage = 3;
    s.held = 123456789ms;
    s.looks = 42;
    s.saved = today + 1ms;
    s.why = "error rate 3.20 % (32 of 1000) is over the gate of 1.00 %";
    auto const text = to_text(s);
    auto const back = serin::rollout_state_from_text(text);
    REQUIRE(back);
    CHECK(back->candidate == s.candidate);
    CHECK(back->status == s.status);
    CHECK(back->stage == s.stage);
    CHECK(back->held == s.held);
    CHECK(back->looks == s.looks);
    CHECK(back->saved == s.saved);
    CHECK(back->why == s.why);
    CHECK(to_text(*back) == text);

    // Neither a part of it nor more than it
    for (std::size_t n = 0; n < text.size(); ++n)
        CHECK_FALSE(serin::rollout_state_from_text(text.substr(0, n)));
    CHECK_FALSE(serin::rollout_state_from_text(text + "\n"));
    CHECK_FALSE(serin::rollout_state_from_text(std::string(100'000, 'x')));

    auto const with = [&](std::string const& from, std::string const& to) {
        std::string changed = text;
        changed.replace(changed.find(from), from.size(), to);
        return serin::rollout_state_from_text(changed);
    };
    CHECK(with("stage 3", "stage 0"));
    for (char const* const stage : {"stage -1", "stage", "stage ", "stage 3x", "stage  3", "stage 99999999999999999999",
             "stage 4294967296", "stages 3"})
        CHECK_FALSE(with("stage 3", stage));
    CHECK_FALSE(with("serin-rollout 1", "serin-rollout 2"));
    CHECK_FALSE(with("rolled_back", "rolling"));
    CHECK_FALSE(with("held_ms 123456789", "held_ms 9223372036855"));
    CHECK_FALSE(with("%0a", "%0"));
    CHECK_FALSE(with("%0a", "%zz"));
}

TEST_CASE("rollout: new parameters keep the stage and its time")
{
    rollout r(params_of(), start);
    steady_time now = start;
    r.promote(now);
    REQUIRE(run(r, {200, 0}, {1000, 0}, now, 40min).what == rollout_change::none);
    auto p = params_of();
    p.hold = 2h;
    p.gates.min_requests = 500;
    r.reconfigure(p, now);
    CHECK(r.stage() == 1);
    CHECK(r.held() == 40min);
    // The figures as well: nothing new has come.
    r.advance(now + 1min);
    CHECK_THAT(r.why(), ContainsSubstring("held for 0.7 of 2.0 h"));
    CHECK(run(r, {200, 0}, {1000, 0}, now, 79min).what == rollout_change::none);
    CHECK(run(r, {200, 0}, {1000, 0}, now, 2min).what == rollout_change::promoted);

    p.gates.error_rate = 0.0001;
    r.reconfigure(p, now);
    CHECK(run(r, {2000, 4}, {1000, 0}, now, 30min).what == rollout_change::rolled_back);
    p.stages = {0.2};
    r.reconfigure(p, now);
    CHECK(r.stage() == 0);
    CHECK(r.status() == rollout_status::rolled_back);
    // Figures of another window are others.
    rollout other(params_of(), start);
    send(other, rollout_side::candidate, {5000, 0}, start);
    auto q = params_of();
    q.gates.window = 20min;
    other.reconfigure(q, start);
    CHECK(other.figures(rollout_side::candidate, start).counted() == 0);
}

TEST_CASE("rollout_problem: what cannot work")
{
    CHECK(serin::rollout_problem(params_of()).empty());
    auto const problem = [](auto change) {
        rollout_params p = params_of();
        change(p);
        return serin::rollout_problem(p);
    };
    double const nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_FALSE(problem([](auto& p) { p.candidate.clear(); }).empty());
    CHECK_FALSE(problem([](auto& p) { p.stages.clear(); }).empty());
    CHECK_FALSE(problem([](auto& p) { p.stages = {0.5, 0.3}; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.stages = {0, 0.3}; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.stages = {0.3, 30}; }).empty());
    CHECK_FALSE(problem([&](auto& p) { p.stages = {nan}; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.hold = -1s; }).empty());
    CHECK_FALSE(problem([&](auto& p) { p.gates.error_rate = nan; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.gates.success_rate = 99; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.gates.p99 = 0s; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.gates.times_others = 0.5; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.gates.false_alarm = 2; }).empty());
    CHECK_FALSE(problem([](auto& p) { p.gates.window = 1ms; }).empty());
    CHECK(problem([](auto& p) { p.gates.times_others = std::numeric_limits<double>::infinity(); }).empty());
}

TEST_CASE("rollout: strange times do no harm")
{
    rollout r(params_of(), steady_time());
    send(r, rollout_side::candidate, {2000, 0}, steady_time());
    CHECK(r.advance(steady_time::max()).what == rollout_change::promoted);
    send(r, rollout_side::candidate, {2000, 0}, steady_time());
    CHECK(r.advance(start).what == rollout_change::none);
    rollout_params p = params_of();
    p.hold = duration::max();
    p.gates.window = duration::max();
    rollout endless(p, start);
    send(endless, rollout_side::candidate, {2000, 0}, start);
    CHECK(endless.advance(start + 24h * 3650).what == rollout_change::none);
    CHECK(endless.restore(endless.save(start, today), start, today + 24h * 3650));
}

TEST_CASE("rollout_look_share: all looks together use up no more than there is")
{
    double sum = 0;
    for (std::uint64_t n = 1; n <= 1'000'000; ++n)
        sum += serin::rollout_look_share(n);
    // What follows is at most the integral, 1 / ln(1000001) of 1 / 2.11.
    CHECK(sum + 1 / std::log(1'000'001.0) / 2.11 < 1);
    CHECK(sum > 0.9);
    CHECK(serin::rollout_look_share(10'000) > 5e-7);
}

// ---------------------------------------------------------------------------------------------------------

namespace {

class seeded
{
public:
    explicit seeded(std::uint64_t seed) noexcept : state_(seed) {}
    double operator()() noexcept { return serin::unit_interval(serin::mix_bits(state_ += 0x9e3779b97f4a7c15u)); }

private:
    std::uint64_t state_;
};

// Durations with a long tail, whose p99 is `p99`.
class durations
{
public:
    explicit durations(duration p99)
    {
        double const scale = static_cast<double>(p99.count()) * std::pow(0.01, 0.4);
        for (std::size_t i = 0; i < table_.size(); ++i)
        {
            double const u = (static_cast<double>(i) + 0.5) / static_cast<double>(table_.size());
            table_[i] = duration(static_cast<duration::rep>(scale * std::pow(u, -0.4)));
        }
    }

    duration operator()(double u) const noexcept
    {
        return table_[static_cast<std::size_t>(u * static_cast<double>(table_.size()))];
    }

private:
    std::vector<duration> table_ = std::vector<duration>(10'000);
};

struct simulated_side
{
    double error_rate;
    durations const& took;
};

struct simulation
{
    int rolled_back = 0;
    int completed = 0;
    double requests = 0; // Of the candidate until it was rolled back, on average
};

// Rollouts with stages of 30 and 50 % that see 20 times `per_look` requests each in 20 looks, and then stay for 20
// looks more if they are not promoted.
simulation simulate(int rollouts, serin::rollout_gates gates, simulated_side const& candidate,
    simulated_side const& others, int per_look, std::uint64_t seed)
{
    rollout_params p;
    p.candidate = "canary";
    p.stages = {0.3, 0.5};
    p.hold = 20s;
    p.gates = gates;
    p.gates.window = 1min;
    p.gates.min_requests = 300;
    simulation out;
    seeded random(seed);
    for (int i = 0; i < rollouts; ++i)
    {
        rollout r(p, start);
        steady_time now = start;
        int asked = 0;
        for (int look = 0; look < 60 && r.status() == rollout_status::running; ++look)
        {
            double const share = r.share();
            for (int n = 0; n < per_look; ++n)
            {
                bool const is_candidate = random() < share;
                auto const& side = is_candidate ? candidate : others;
                bool const failed = random() < side.error_rate;
                asked += is_candidate;
                r.add(is_candidate ? rollout_side::candidate : rollout_side::others,
                    failed ? outcome::failure : outcome::success, failed ? duration(1ms) : side.took(random()), {},
                    now);
            }
            r.advance(now += 1s);
        }
        if (r.status() == rollout_status::completed)
            ++out.completed;
        if (r.status() != rollout_status::rolled_back)
            continue;
        ++out.rolled_back;
        out.requests += asked;
    }
    out.requests /= std::max(out.rolled_back, 1);
    return out;
}

serin::rollout_gates simulated_gates(double error_rate, duration p99)
{
    serin::rollout_gates g;
    g.error_rate = error_rate;
    g.success_rate = 1 - error_rate;
    g.p99 = p99;
    return g;
}

} // namespace

TEST_CASE("rollout: of 10,000 with a candidate like the others hardly any is rolled back")
{
    durations const took(200ms);
    simulated_side const side{0.005, took};

    auto const good = simulate(1000, simulated_gates(0.01, 300ms), side, side, 100, 1);
    WARN("A/A, half of what the gates allow: " << good.rolled_back << " of 1000 rolled back, " << good.completed
                                               << " completed");
    CHECK(good.rolled_back <= 1);
    CHECK(good.completed >= 950);

    // As hard as it gets: everything is just as bad as allowed, and nothing worse than the others is.
    auto gates = simulated_gates(0.005, 200ms);
    gates.times_others = 1;
    auto const edge = simulate(10'000, gates, side, side, 50, 2);
    WARN("A/A, exactly at the gates: " << edge.rolled_back << " of 10000 rolled back, 100 are promised at most");
    CHECK(edge.rolled_back <= 100);

    // With the chance of an error no smaller than one, many are: the test can fail.
    gates.false_alarm = 1;
    auto const careless = simulate(500, gates, side, side, 100, 3);
    WARN("A/A, exactly at the gates, false_alarm = 1: " << careless.rolled_back << " of 500 rolled back");
    CHECK(careless.rolled_back > 5);
}

TEST_CASE("rollout: a candidate that is worse is caught")
{
    durations const normal(200ms), slow(450ms), slower(800ms);
    simulated_side const others{0.002, normal};
    struct row
    {
        char const* what;
        simulated_side candidate;
        serin::rollout_gates gates;
    };
    row const rows[] = {
        {"errors of 5 % at a gate of 1 %", {0.05, normal}, simulated_gates(0.01, 1h)},
        {"errors of 3 % at a gate of 1 %", {0.03, normal}, simulated_gates(0.01, 1h)},
        {"errors of 3 % where others have 0.2 %, far from the gate", {0.03, normal}, simulated_gates(0.5, 1h)},
        {"p99 of 450 ms at a gate of 250 ms", {0.002, slow}, simulated_gates(0.01, 250ms)},
        {"p99 of 800 ms where others have 200 ms, far from the gate", {0.002, slower}, simulated_gates(0.01, 1h)},
    };
    std::uint64_t seed = 10;
    for (row const& one : rows)
    {
        auto const s = simulate(200, one.gates, one.candidate, others, 400, ++seed);
        WARN(one.what << ": " << s.rolled_back << " of 200 rolled back, after " << std::lround(s.requests)
                      << " requests on average; " << s.completed << " completed");
        CAPTURE(one.what);
        CHECK(s.rolled_back >= 190);
    }
}
