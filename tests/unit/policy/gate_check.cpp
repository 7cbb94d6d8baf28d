// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/gate_check.hpp"

#include "catch.hpp"

#include <chrono>
#include <limits>

using namespace std::chrono_literals;
using serin::check_gates;
using serin::gate_finding;
using serin::outcome;
using serin::outcome_figures;
using serin::rollout_gates;

namespace {

outcome_figures figures_of(int successes, int failures, int limited = 0, std::chrono::milliseconds took = 100ms)
{
    outcome_figures f;
    for (int i = 0; i < successes; ++i)
        f.add(outcome::success, took);
    for (int i = 0; i < failures; ++i)
        f.add(outcome::failure, {});
    for (int i = 0; i < limited; ++i)
        f.add(outcome::limited, {});
    return f;
}

rollout_gates only_error_rate(double gate)
{
    rollout_gates g;
    g.error_rate = gate;
    g.success_rate.reset();
    return g;
}

} // namespace

TEST_CASE("check_gates: over the gate by chance, and not by chance")
{
    struct row
    {
        int successes, failures;
        gate_finding finding;
    };
    // The chance to see so many or more at a rate of 1 % is 46 %, 4 %, 1 in 2,000 and 1 in 8 million.
    row const rows[] = {
        {1000, 0, gate_finding::pass},
        {990, 10, gate_finding::pass},
        {989, 11, gate_finding::undecided},
        {984, 16, gate_finding::undecided},
        {978, 22, gate_finding::breach},
        {969, 31, gate_finding::breach},
    };
    for (row const& r : rows)
    {
        CAPTURE(r.failures);
        // A sixth for each comparison
        CHECK(check_gates(only_error_rate(0.01), figures_of(r.successes, r.failures), {}, 0.006).finding == r.finding);
    }
    CHECK(check_gates(only_error_rate(0.01), figures_of(978, 22), {}, 0.002).finding == gate_finding::undecided);
}

TEST_CASE("check_gates: the ends")
{
    CHECK(check_gates(only_error_rate(0), figures_of(100'000, 0), {}, 0).finding == gate_finding::pass);
    CHECK(check_gates(only_error_rate(0), figures_of(100'000, 1), {}, 0).finding == gate_finding::breach);
    CHECK(check_gates(only_error_rate(1), figures_of(0, 1000), {}, 0.01).finding == gate_finding::pass);
    CHECK(check_gates(rollout_gates{}, {}, {}, 0.01).finding == gate_finding::pass);
    rollout_gates none = only_error_rate(0);
    none.error_rate.reset();
    CHECK(check_gates(none, figures_of(0, 1000), figures_of(1000, 0), 0.01).finding == gate_finding::pass);
}

TEST_CASE("check_gates: compared with the others only where both have enough")
{
    auto const bad = figures_of(970, 30), good = figures_of(10'000, 10);
    CHECK(check_gates(only_error_rate(0.5), bad, good, 0.01).finding == gate_finding::breach);
    CHECK(check_gates(only_error_rate(0.5), bad, figures_of(999, 0), 0.01).finding == gate_finding::pass);
    CHECK(check_gates(only_error_rate(0.5), figures_of(950, 49), good, 0.01).finding == gate_finding::pass);
    auto off = only_error_rate(0.5);
    off.times_others = std::numeric_limits<double>::infinity();
    CHECK(check_gates(off, bad, good, 0.01).finding == gate_finding::pass);
    // Worse beyond doubt, but not by half.
    auto g = only_error_rate(0.5);
    auto const worse = figures_of(96'000, 4000), reference = figures_of(97'000, 3000);
    CHECK(check_gates(g, worse, reference, 0.01).finding == gate_finding::pass);
    g.times_others = 1;
    CHECK(check_gates(g, worse, reference, 0.01).finding == gate_finding::breach);
    // 30 of 1000 against 2 % is too close to call.
    CHECK(check_gates(only_error_rate(0.5), bad, figures_of(9800, 200), 0.01).finding == gate_finding::pass);
}

TEST_CASE("check_gates: a rate limit is no error, but no success either")
{
    rollout_gates g;
    auto const limited = figures_of(900, 0, 100);
    CHECK(check_gates(g, limited, {}, 0.01).finding == gate_finding::breach);
    g.success_rate.reset();
    CHECK(check_gates(g, figures_of(100, 10, 2000), {}, 0.01).finding == gate_finding::breach);
    CHECK(check_gates(g, limited, {}, 0.01).finding == gate_finding::pass);
}

TEST_CASE("check_gates: a p99 needs a hundred durations")
{
    rollout_gates g;
    g.p99 = 300ms;
    CHECK(check_gates(g, figures_of(99, 0), {}, 0.01).finding == gate_finding::undecided);
    CHECK(check_gates(g, figures_of(100, 0), {}, 0.01).finding == gate_finding::pass);
    // But three that are far too slow are enough to see that it is not kept.
    CHECK(check_gates(g, figures_of(3, 0, 0, 2s), {}, 0.01).finding == gate_finding::breach);
}

TEST_CASE("check_gates: a p99 may be worse than that of the others, by as much as is allowed")
{
    rollout_gates g;
    g.p99 = 1h;
    auto const others = figures_of(5000, 0, 0, 100ms);
    CHECK(check_gates(g, figures_of(5000, 0, 0, 140ms), others, 0.01).finding == gate_finding::pass);
    CHECK(check_gates(g, figures_of(5000, 0, 0, 160ms), others, 0.01).finding == gate_finding::breach);
    g.times_others = 1;
    CHECK(check_gates(g, figures_of(5000, 0, 0, 140ms), others, 0.01).finding == gate_finding::breach);
    CHECK(check_gates(g, others, others, 0.01).finding == gate_finding::pass);
    // The others are too few for a bound.
    CHECK(check_gates(g, figures_of(5000, 0, 0, 160ms), figures_of(400, 600), 0.01).finding == gate_finding::pass);
}
