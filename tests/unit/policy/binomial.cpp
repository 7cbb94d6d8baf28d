// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/binomial.hpp"

#include "catch.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

using serin::binomial_lower_tail;
using serin::binomial_upper_tail;
using serin::fisher_upper_tail;

namespace {

bool near(double a, double b)
{
    return std::abs(a - b) <= 1e-9 * std::abs(b);
}

double choose(int n, int k)
{
    double out = 1;
    for (int i = 0; i < k; ++i)
        out = out * (n - i) / (i + 1);
    return out;
}

} // namespace

TEST_CASE("binomial tails: against the sum of the terms")
{
    for (int const n : {1, 2, 7, 40})
        for (double const p : {0.01, 0.3, 0.5, 0.99})
        {
            double upper = 0;
            for (int x = n; x >= 0; --x)
            {
                upper += choose(n, x) * std::pow(p, x) * std::pow(1 - p, n - x);
                CAPTURE(n, p, x);
                auto const ux = static_cast<std::uint64_t>(x), un = static_cast<std::uint64_t>(n);
                CHECK(near(binomial_upper_tail(ux, un, p), upper));
                CHECK(near(binomial_lower_tail(un - ux, un, 1 - p), upper));
            }
        }
}

TEST_CASE("binomial tails: known values")
{
    // 0.99^459 is the first power below one in a hundred.
    CHECK(binomial_lower_tail(0, 458, 0.01) > 0.01);
    CHECK(binomial_lower_tail(0, 459, 0.01) < 0.01);
    // Half of the distribution lies above its middle, give or take the middle itself.
    CHECK(std::abs(binomial_upper_tail(10'000, 1'000'000, 0.01) - 0.5) < 0.005);
    // Six standard deviations
    CHECK(binomial_upper_tail(10'597, 1'000'000, 0.01) < 3e-9);
    CHECK(binomial_upper_tail(10'597, 1'000'000, 0.01) > 5e-10);
    CHECK(binomial_upper_tail(1'000'000, 1'000'000, 0.01) < 1e-200);
    CHECK(binomial_upper_tail(3, 2, 0.5) == 0);
    CHECK(binomial_upper_tail(0, 0, 0.5) == 1);
    CHECK(binomial_upper_tail(1, 5, 0) == 0);
    CHECK(binomial_upper_tail(0, 5, 0) == 1);
    CHECK(binomial_upper_tail(5, 5, 1) == 1);
    CHECK(binomial_upper_tail(1, 5, std::numeric_limits<double>::quiet_NaN()) == 0);
}

TEST_CASE("fisher_upper_tail: against the hypergeometric distribution")
{
    // The lady tasting tea: 4 of 4, and 3 or 4 of 4.
    CHECK(near(fisher_upper_tail(4, 4, 0, 4, 1), 1.0 / 70));
    CHECK(near(fisher_upper_tail(3, 4, 1, 4, 1), 17.0 / 70));
    int const a = 30, b = 50, failed = 12;
    for (double const ratio : {1.0, 1.5, 0.2})
        for (int x = 0; x <= failed; ++x)
        {
            double all = 0, upper = 0;
            for (int k = 0; k <= failed; ++k)
            {
                double const term = choose(a, k) * choose(b, failed - k) * std::pow(ratio, k);
                all += term;
                upper += k >= x ? term : 0;
            }
            CAPTURE(ratio, x);
            auto const ux = static_cast<std::uint64_t>(x);
            CHECK(near(fisher_upper_tail(ux, a, failed - ux, b, ratio), upper / all));
        }
}

TEST_CASE("fisher_upper_tail: the ends")
{
    CHECK(fisher_upper_tail(0, 10, 0, 10, 1) == 1);
    CHECK(fisher_upper_tail(10, 10, 10, 10, 1) == 1); // All failed
    CHECK(fisher_upper_tail(10, 10, 0, 0, 1) == 1);   // Nobody to compare with
    CHECK(fisher_upper_tail(0, 0, 5, 10, 1) == 1);
    CHECK(fisher_upper_tail(100'000, 100'000, 0, 100'000, 1) < 1e-200);
    CHECK(std::abs(fisher_upper_tail(1000, 100'000, 1000, 100'000, 1) - 0.5) < 0.02);
    CHECK_FALSE(fisher_upper_tail(5, 10, 1, 10, std::numeric_limits<double>::infinity()) <= 0.01);
}
