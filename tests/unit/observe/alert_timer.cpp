// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "observe/alert_timer.hpp"

#include "catch.hpp"

#include <chrono>
#include <optional>

using namespace std::chrono_literals;
using serin::alert_rule;
using serin::alert_state;
using serin::alert_timer;
using serin::steady_time;

namespace {

steady_time const start(1000s);

alert_rule times(steady_time::duration hold, steady_time::duration recovery, steady_time::duration repeat)
{
    alert_rule r;
    r.hold = hold;
    r.recovery = recovery;
    r.repeat = repeat;
    return r;
}

} // namespace

TEST_CASE("alert_timer: fires when the condition has held for long enough, and says so once")
{
    alert_timer t(times(60s, 0s, 0s));
    CHECK_FALSE(t.resume(true, start));
    CHECK_FALSE(t.resume(true, start + 59s));
    CHECK(t.resume(true, start + 60s) == alert_state::firing);
    CHECK(t.fired_for() == 0s);
    CHECK_FALSE(t.resume(true, start + 24h));
}

TEST_CASE("alert_timer: a condition that stops holding must hold anew")
{
    alert_timer t(times(60s, 0s, 0s));
    t.resume(true, start);
    CHECK_FALSE(t.resume(false, start + 30s));
    CHECK_FALSE(t.resume(true, start + 40s));
    CHECK_FALSE(t.resume(true, start + 99s));
    CHECK(t.resume(true, start + 100s) == alert_state::firing);
}

TEST_CASE("alert_timer: without a hold time it fires at once")
{
    alert_timer t(times(0s, 0s, 0s));
    CHECK_FALSE(t.resume(false, start));
    CHECK(t.resume(true, start + 1s) == alert_state::firing);
}

TEST_CASE("alert_timer: recovers when the condition has not held for long enough, and may fire again")
{
    alert_timer t(times(0s, 60s, 0s));
    t.resume(true, start);
    CHECK_FALSE(t.resume(false, start + 10s));
    CHECK_FALSE(t.resume(true, start + 30s));
    CHECK_FALSE(t.resume(false, start + 40s));
    CHECK_FALSE(t.resume(false, start + 99s));
    CHECK(t.resume(false, start + 100s) == alert_state::recovered);
    CHECK(t.fired_for() == 100s);
    CHECK_FALSE(t.resume(false, start + 200s));
    CHECK(t.resume(true, start + 300s) == alert_state::firing);
}

TEST_CASE("alert_timer: what has not fired does not recover")
{
    alert_timer t(times(60s, 0s, 0s));
    t.resume(true, start);
    CHECK_FALSE(t.resume(false, start + 59s));
}

TEST_CASE("alert_timer: is repeated while it fires, at the interval")
{
    alert_timer t(times(0s, 0s, 10min));
    CHECK(t.resume(true, start) == alert_state::firing);
    CHECK_FALSE(t.resume(true, start + 9min));
    CHECK(t.resume(true, start + 11min) == alert_state::repeated);
    CHECK(t.fired_for() == 11min);
    CHECK_FALSE(t.resume(true, start + 20min));
    CHECK(t.resume(true, start + 21min) == alert_state::repeated);
}
