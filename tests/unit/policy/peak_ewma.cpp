// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/peak_ewma.hpp"

#include "catch.hpp"

#include <chrono>
#include <cmath>

using namespace std::chrono_literals;
using serin::peak_ewma;

namespace {

peak_ewma::time_point const start(1000s);

double ms(double value)
{
    return value * 1e6; // The clock counts nanoseconds
}

bool near(double a, double b)
{
    return std::abs(a - b) <= 1e-9 * std::abs(b) + 1;
}

} // namespace

TEST_CASE("peak_ewma: who was never heard counts as initial")
{
    CHECK(near(peak_ewma(start).value(start), ms(1000)));
    CHECK(near(peak_ewma(start, 20ms).value(start), ms(20)));
}

TEST_CASE("peak_ewma: follows a slow answer at once and a quick one with time")
{
    peak_ewma e(start, 100ms, 10s);
    e.answered(500ms, start);
    CHECK(near(e.value(start), ms(500)));
    // At the same moment a quick one says nothing yet.
    e.answered(100ms, start);
    CHECK(near(e.value(start), ms(500)));
    e.answered(100ms, start + 10s);
    double const expected = 500 * std::exp(-1.0) + 100 * (1 - std::exp(-1.0));
    CHECK(near(e.value(start + 10s), ms(expected)));
}

TEST_CASE("peak_ewma: falls while nothing is heard")
{
    peak_ewma e(start, 100ms, 10s);
    CHECK(near(e.value(start + 20s), ms(100 * std::exp(-2.0))));
    CHECK(e.value(start + 1000h) >= 0);
    CHECK(e.value(start + 1000h) < 1);
}

TEST_CASE("peak_ewma: a failure never makes it look quicker")
{
    peak_ewma e(start, 100ms, 10s);
    e.failed(1ms, start + 5s);
    CHECK(near(e.value(start + 5s), ms(100)));
    e.failed(30s, start + 5s);
    CHECK(near(e.value(start + 5s), ms(30'000)));
}

TEST_CASE("peak_ewma: strange times do no harm")
{
    peak_ewma e(start, -5s, -1s);
    CHECK(e.value(start) == 0);
    e.answered(-1s, start + 1s);
    CHECK(e.value(start + 1s) == 0);
    e.answered(1s, start - 1000h);
    CHECK(near(e.value(start - 2000h), ms(1000)));
    CHECK(e.value(peak_ewma::time_point::max()) == 0);
    CHECK(near(peak_ewma(peak_ewma::time_point::min(), 1s).value(peak_ewma::time_point::min()), ms(1000)));
    CHECK(peak_ewma(peak_ewma::time_point::min(), 1s).value(peak_ewma::time_point::max()) == 0);
}
