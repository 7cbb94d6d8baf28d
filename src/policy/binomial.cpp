// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "binomial.hpp"

#include <algorithm>

namespace serin {
namespace {

// The sum of the terms of a distribution from `first` to `last`, in whichever order, relative to the term before
// `first`. `ratio(k)` leads from the previous term to that of `k`. The distributions here have one peak: once the terms
// fall, they fall ever faster. Ends early where it is so large that what it is compared with does not
// count.
template <class Step, class Ratio>
double binomial_sum(std::uint64_t first, std::uint64_t count, Step const& step, Ratio const& ratio) noexcept
{
    constexpr double negligible = 1e-17;
    constexpr double enough = 1e250;
    double term = 1, sum = 0;
    std::uint64_t k = first;
    for (std::uint64_t n = 0; n < count; ++n, k = step(k))
    {
        double const r = ratio(k);
        term *= r;
        sum += term;
        if (sum > enough || (r < 1 && term < sum * negligible))
            break;
    }
    return sum;
}

double binomial_real(std::uint64_t n) noexcept
{
    return static_cast<double>(n);
}

// P(X >= x) for a distribution over `min` to `max`, given the ratio of the term of k to that of k - 1. Both parts are
// relative to the term of x, so that no term has to be known by itself.
template <class Ratio>
double binomial_tail(std::uint64_t x, std::uint64_t min, std::uint64_t max, Ratio const& ratio) noexcept
{
    if (x <= min)
        return 1;
    if (x > max)
        return 0;
    double const above = binomial_sum(
        x + 1, max - x, [](std::uint64_t k) { return k + 1; }, ratio);
    double const below = binomial_sum(
        x - 1, x - min, [](std::uint64_t k) { return k - 1; }, [&](std::uint64_t k) { return 1 / ratio(k + 1); });
    return (1 + above) / (1 + above + below);
}

} // namespace

double binomial_upper_tail(std::uint64_t x, std::uint64_t n, double p) noexcept
{
    if (x == 0)
        return 1;
    if (x > n || !(p > 0))
        return 0;
    if (p >= 1)
        return 1;
    double const odds = p / (1 - p);
    return binomial_tail(x, 0, n, [=](std::uint64_t k) { return binomial_real(n - k + 1) / binomial_real(k) * odds; });
}

double binomial_lower_tail(std::uint64_t x, std::uint64_t n, double p) noexcept
{
    return x >= n ? 1 : binomial_upper_tail(n - x, n, 1 - p);
}

double fisher_upper_tail(
    std::uint64_t a_failed, std::uint64_t a_total, std::uint64_t b_failed, std::uint64_t b_total, double ratio) noexcept
{
    if (!(ratio > 0))
        return a_failed == 0 ? 1 : 0;
    std::uint64_t const failed = a_failed + b_failed;
    std::uint64_t const min = failed > b_total ? failed - b_total : 0;
    std::uint64_t const max = std::min(failed, a_total);
    return binomial_tail(a_failed, min, max, [=](std::uint64_t k) {
        return binomial_real(a_total - k + 1) / binomial_real(k) * binomial_real(failed - k + 1) /
               binomial_real(b_total + k - failed) * ratio;
    });
}

} // namespace serin
