// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/latency_window.hpp"

#include "catch.hpp"

#include <chrono>

using namespace std::chrono_literals;
using serin::latency_window;

TEST_CASE("latency_window: says nothing before it knows twenty answers")
{
    latency_window w;
    for (int i = 0; i < 19; ++i)
    {
        CHECK_FALSE(w.quantile(0.95));
        w.add(1ms);
    }
    CHECK_FALSE(w.quantile(0.95));
    w.add(1ms);
    CHECK(w.quantile(0.95) == latency_window::duration(1ms));
}

TEST_CASE("latency_window: a share of the answers took at most its quantile")
{
    latency_window w;
    for (int i = 100; i > 0; --i)
        w.add(std::chrono::milliseconds(i));
    CHECK(w.quantile(0.95) == latency_window::duration(96ms));
    CHECK(w.quantile(0) == latency_window::duration(1ms));
    CHECK(w.quantile(1) == latency_window::duration(100ms));
}

TEST_CASE("latency_window: old answers are forgotten")
{
    latency_window w;
    for (int i = 0; i < 256; ++i)
        w.add(1h);
    for (int i = 0; i < 256; ++i)
        w.add(2ms);
    CHECK(w.quantile(1) == latency_window::duration(2ms));
}
