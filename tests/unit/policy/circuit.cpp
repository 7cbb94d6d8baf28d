// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/circuit.hpp"

#include "policy/router.hpp"
#include "policy/stable_hash.hpp"

#include "catch.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
using serin::circuit;
using serin::group_entry;
using serin::health_params;
using serin::outcome;
using serin::steady_time;

namespace {

steady_time const start(1000s);

health_params without_jitter()
{
    health_params p;
    p.jitter = 0;
    return p;
}

// An attempt that takes no time. True: it ejects the upstream.
bool attempt(circuit& c, outcome what, steady_time now)
{
    return c.end(c.begin(now), what, now, 0);
}

// s: success, f: failure, n: neutral, l: limited. The number of attempts after which the upstream is ejected, or 0.
std::size_t ejected_after(circuit& c, std::string_view outcomes, steady_time now = start)
{
    for (std::size_t i = 0; i < outcomes.size(); ++i)
    {
        outcome const what = outcomes[i] == 's'   ? outcome::success
                             : outcomes[i] == 'f' ? outcome::failure
                             : outcomes[i] == 'l' ? outcome::limited
                                                  : outcome::neutral;
        if (attempt(c, what, now))
            return i + 1;
    }
    return 0;
}

void eject(circuit& c, steady_time now)
{
    REQUIRE(ejected_after(c, "fffff", now) == 5);
    REQUIRE(c.at(now) == circuit::state::open);
}

} // namespace

TEST_CASE("circuit: what ejects and what does not")
{
    struct row
    {
        char const* outcomes;
        std::size_t ejected_after;
    };
    row const rows[] = {
        {"ffff", 0}, {"fffff", 5}, {"ffffsffff", 0}, {"ffffsfffff", 10},
        {"fnflfnff", 8},                             // What is neutral neither counts nor interrupts.
        {"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", 0}, // Mistakes of callers
        {"llllllllllllllllllllllllllllllllllll", 0}, // 429
        {"sfsfsfsfsfsfsfsfsfs", 0},                  // 19 requests
        {"sfsfsfsfsfsfsfsfsfsf", 20},                // A half of 20
        {"ssfssfssfssfssfssfssfssfssfssf", 0},       // A third
        {"sssssssssssffffsffffsf", 0},               // 9 of 22
    };
    for (row const& r : rows)
    {
        CAPTURE(r.outcomes);
        circuit c(health_params{});
        CHECK(ejected_after(c, r.outcomes) == r.ejected_after);
        CHECK(c.allows(start) == (r.ejected_after == 0));
    }
}

TEST_CASE("circuit: the failure rate is that of the window")
{
    circuit c(without_jitter());
    CHECK(ejected_after(c, "ssssssssssssssssssssssssssssss") == 0);
    for (int i = 0; i < 13; ++i)
        CHECK(ejected_after(c, "fs", start + 3s) == 0);
    // 30 s later what came first is forgotten: 13 of 26, and another failure makes 14 of 27.
    CHECK(ejected_after(c, "f", start + 30s) == 1);
    circuit late(without_jitter());
    for (int i = 0; i < 9; ++i)
        ejected_after(late, "fs");
    CHECK(ejected_after(late, "fsfsfsfsfsfsfsfsfs", start + 40s) == 0);
}

TEST_CASE("circuit: settings turn the reasons off")
{
    health_params p;
    p.consecutive_failures = 0;
    p.failure_rate = 1.1;
    circuit never(p);
    for (int i = 0; i < 100; ++i)
        CHECK_FALSE(attempt(never, outcome::failure, start));
    p.failure_rate = 0;
    p.min_requests = 1;
    circuit strict(p);
    CHECK(ejected_after(strict, "ssss") == 0);
    CHECK(ejected_after(strict, "f") == 1);
}

TEST_CASE("circuit: 5 s, then one probe at a time, and a success closes it")
{
    circuit c(without_jitter());
    eject(c, start);
    CHECK(c.until() == start + 5s);
    CHECK_FALSE(c.allows(start + 4999ms));
    CHECK(c.at(start + 4999ms) == circuit::state::open);
    CHECK(c.at(start + 5s) == circuit::state::half_open);

    REQUIRE(c.allows(start + 5s));
    auto const probe = c.begin(start + 5s);
    CHECK(probe.probe != 0);
    CHECK_FALSE(c.allows(start + 5s));
    CHECK(c.at(start + 6s) == circuit::state::half_open);
    CHECK_FALSE(c.end(probe, outcome::success, start + 6s, 0));
    CHECK(c.at(start + 6s) == circuit::state::closed);
    // From scratch
    CHECK(ejected_after(c, "ffff", start + 6s) == 0);
    CHECK(ejected_after(c, "f", start + 6s) == 1);
}

TEST_CASE("circuit: a probe that fails ejects for twice as long, up to 30 s")
{
    circuit c(without_jitter());
    eject(c, start);
    steady_time now = start;
    for (auto const expected : {5s, 10s, 20s, 30s, 30s, 30s})
    {
        CAPTURE(expected.count());
        CHECK(c.until() == now + expected);
        now = c.until();
        REQUIRE(c.allows(now));
        CHECK_FALSE(attempt(c, outcome::failure, now));
        CHECK(c.at(now) == circuit::state::open);
    }
}

TEST_CASE("circuit: a recovered upstream serves again within 30 s")
{
    for (std::uint64_t random : {std::uint64_t{0}, std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()})
    {
        circuit c(health_params{});
        for (int i = 0; i < 5; ++i)
            c.end(c.begin(start), outcome::failure, start, random);
        steady_time now = start;
        // Down for an hour, while it is asked every 100 ms
        for (; now < start + 1h; now += 100ms)
            if (c.allows(now))
                c.end(c.begin(now), outcome::failure, now, random);
        steady_time const recovered = now;
        while (!c.allows(now))
            now += 100ms;
        attempt(c, outcome::success, now);
        CHECK(c.at(now) == circuit::state::closed);
        CHECK(now - recovered <= 30s);
    }
}

TEST_CASE("circuit: jitter shortens an ejection by up to a fifth")
{
    auto const length = [](std::uint64_t random) {
        circuit c(health_params{});
        for (int i = 0; i < 5; ++i)
            c.end(c.begin(start), outcome::failure, start, random);
        return c.until() - start;
    };
    CHECK(length(0) > 4999ms);
    CHECK(length(0) <= 5s);
    CHECK(length(std::numeric_limits<std::uint64_t>::max()) >= 4s);
    CHECK(length(std::numeric_limits<std::uint64_t>::max()) < 4001ms);
}

TEST_CASE("circuit: ejections add up until the upstream stays well for 30 s")
{
    circuit c(without_jitter());
    eject(c, start);
    steady_time now = c.until();
    attempt(c, outcome::success, now);
    eject(c, now + 29s);
    CHECK(c.until() == now + 29s + 10s);
    now = c.until();
    attempt(c, outcome::success, now);
    eject(c, now + 30s);
    CHECK(c.until() == now + 30s + 5s);
}

TEST_CASE("circuit: what began before does not count")
{
    circuit c(without_jitter());
    auto const early = c.begin(start);
    eject(c, start);
    CHECK_FALSE(c.end(early, outcome::success, start + 1s, 0));
    CHECK(c.at(start + 1s) == circuit::state::open);

    // Nor do failures of the time before it was closed.
    auto const probe = c.begin(start + 5s);
    circuit::ticket late[5];
    for (auto& t : late)
        t = c.begin(start + 5s);
    c.end(probe, outcome::success, start + 6s, 0);
    for (auto const& t : late)
        CHECK_FALSE(c.end(t, outcome::failure, start + 7s, 0));
    CHECK(c.at(start + 7s) == circuit::state::closed);
}

TEST_CASE("circuit: a probe that says nothing makes room for the next one")
{
    circuit c(without_jitter());
    eject(c, start);
    for (auto const what : {outcome::neutral, outcome::limited})
    {
        REQUIRE(c.allows(start + 5s));
        auto const probe = c.begin(start + 5s);
        CHECK_FALSE(c.allows(start + 5s));
        c.end(probe, what, start + 6s, 0);
        CHECK(c.at(start + 6s) == circuit::state::half_open);
    }
}

TEST_CASE("circuit: a probe that gets no answer does not keep the upstream out")
{
    circuit c(without_jitter());
    eject(c, start);
    auto const silent = c.begin(start + 5s);
    CHECK_FALSE(c.allows(start + 9s));
    REQUIRE(c.allows(start + 10s));
    auto const second = c.begin(start + 10s);
    CHECK(second.probe != silent.probe);
    // The first one ends while the second is under way, which stays the only one.
    c.end(silent, outcome::neutral, start + 11s, 0);
    CHECK_FALSE(c.allows(start + 11s));
    c.end(second, outcome::success, start + 12s, 0);
    CHECK(c.at(start + 12s) == circuit::state::closed);
}

TEST_CASE("circuit: an upstream that is asked while it is ejected may show that it is well")
{
    circuit c(without_jitter());
    eject(c, start);
    auto const forced = c.begin(start + 1s);
    CHECK(forced.probe == 0);
    CHECK_FALSE(c.end(forced, outcome::failure, start + 1s, 0));
    CHECK(c.until() == start + 5s);
    attempt(c, outcome::success, start + 2s);
    CHECK(c.at(start + 2s) == circuit::state::closed);
}

TEST_CASE("circuit: strange settings and times do no harm")
{
    health_params p;
    p.consecutive_failures = 1;
    p.window = -1s;
    p.ejection = -1s;
    p.max_ejection = steady_time::duration::max();
    p.jitter = std::numeric_limits<double>::quiet_NaN();
    circuit c(p);
    for (auto const now : {steady_time(), start, start - 1h, steady_time::max(), steady_time()})
    {
        attempt(c, outcome::failure, now);
        attempt(c, outcome::failure, now);
        CHECK(c.until() >= now);
    }
    p.jitter = 5;
    p.ejection = steady_time::duration::max();
    circuit longest(p);
    longest.end(longest.begin(start), outcome::failure, start, std::uint64_t{1} << 62);
    CHECK(longest.until() >= start);
    CHECK(longest.until() <= start + 24h);
}

TEST_CASE("group_guard: never more than half of the group is out, the least bad come back first")
{
    struct row
    {
        std::vector<double> failing; // Below 0: not out
        std::vector<bool> out;
    };
    row const rows[] = {
        {{}, {}},
        {{0.9}, {false}},
        {{0.9, -1}, {true, false}},
        {{0.9, 0.5}, {true, false}},
        {{0.5, 0.9}, {false, true}},
        {{0.9, 0.5, -1}, {true, false, false}},
        {{0.9, 0.5, 0.7}, {true, false, false}},
        {{0.9, -1, -1}, {true, false, false}},
        {{0.6, 0.9, 0.7, 0.8}, {false, true, false, true}},
        {{0.6, -1, 0.7, -1}, {true, false, true, false}},
        {{1, 1, 1, 1, 1}, {false, false, false, true, true}},
    };
    for (row const& r : rows)
    {
        CAPTURE(r.failing);
        std::vector<group_entry> group;
        for (double const f : r.failing)
            group.push_back({f >= 0, {f, 1, start}});
        serin::group_guard(group);
        for (std::size_t i = 0; i < group.size(); ++i)
        {
            CAPTURE(i);
            CHECK(group[i].out == r.out[i]);
        }
    }
}

TEST_CASE("group_guard: of two that fail, the one that still answers is asked")
{
    circuit dead(without_jitter()), flapping(without_jitter());
    // Its failure rate is low yet, it has just died.
    for (int i = 0; i < 100; ++i)
        attempt(dead, outcome::success, start);
    eject(dead, start);
    for (int i = 0; i < 10; ++i)
        ejected_after(flapping, "sf", start);
    REQUIRE_FALSE(flapping.allows(start));

    std::vector<group_entry> group;
    int asked_dead = 0, asked_flapping = 0;
    for (int i = 0; i < 100; ++i)
    {
        group = {{!dead.allows(start), dead.how_bad()}, {!flapping.allows(start), flapping.how_bad()}};
        serin::group_guard(group);
        if (group[1].out)
        {
            ++asked_dead;
            attempt(dead, outcome::failure, start);
        }
        else
            attempt(flapping, asked_flapping++ % 2 == 0 ? outcome::failure : outcome::success, start);
    }
    CHECK(asked_dead <= 5);
}

TEST_CASE("circuit: with 80/20 the 20 lose their traffic when they fail, and get it back when they recover")
{
    serin::route_table const table(serin::route_policy::weighted, {{"stable", 80, 0}, {"canary", 20, 0}});
    std::vector<circuit> circuits(2, circuit(health_params{}));
    std::vector<int> asked_canary(120, 0); // By second
    int failed_calls = 0;
    std::uint64_t random = 1;
    for (int ms = 0; ms < 120'000; ms += 10)
    {
        steady_time const now = start + ms * 1ms;
        bool const canary_fails = ms >= 20'000 && ms < 60'000;
        std::vector<serin::route_facts> facts(2);
        bool answered = false;
        // A call asks another upstream when one has failed.
        while (!answered)
        {
            std::vector<group_entry> group;
            for (auto const& c : circuits)
                group.push_back({!c.allows(now), c.how_bad()});
            serin::group_guard(group);
            for (std::size_t i = 0; i < 2; ++i)
                facts[i].available = !group[i].out;
            auto const picked = table.pick(facts, {}, serin::mix_bits(++random));
            if (!picked)
                break;
            auto const t = circuits[*picked].begin(now);
            answered = *picked == 0 || !canary_fails;
            circuits[*picked].end(t, answered ? outcome::success : outcome::failure, now, serin::mix_bits(++random));
            facts[*picked].tried = true;
            asked_canary[static_cast<std::size_t>(ms / 1000)] += *picked == 1;
        }
        failed_calls += !answered;
    }
    CHECK(failed_calls == 0);
    int before = 0, during = 0, after = 0;
    for (std::size_t s = 0; s < 120; ++s)
    {
        before += s < 20 ? asked_canary[s] : 0;
        during += s >= 22 && s < 60 ? asked_canary[s] : 0;
        after += s >= 90 ? asked_canary[s] : 0;
    }
    CHECK(std::abs(before - 400) < 80);
    CHECK(during <= 4); // Probes
    CHECK(std::abs(after - 600) < 100);
}
