// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "policy/mirror.hpp"

#include "catch.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

using serin::mirror;

namespace {

serin::mirror_params params_of(double share, std::size_t max_in_flight)
{
    serin::mirror_params p;
    p.candidate = "shadow";
    p.share = share;
    p.max_in_flight = max_in_flight;
    return p;
}

int copied_of(mirror& m, int requests)
{
    int n = 0;
    for (int i = 0; i < requests; ++i)
        if (m.begin(serin::mix_bits(static_cast<std::uint64_t>(i))))
        {
            ++n;
            m.end();
        }
    return n;
}

} // namespace

TEST_CASE("mirror: copies a share")
{
    for (double const share : {0.01, 0.25, 0.5})
    {
        mirror m(params_of(share, 1));
        CAPTURE(share);
        CHECK(std::abs(copied_of(m, 1'000'000) / 1e6 - share) < 0.002);
        CHECK(m.in_flight() == 0);
        CHECK(m.left_out() == 0);
    }
    mirror all(params_of(1, 1));
    CHECK(copied_of(all, 1000) == 1000);
    for (double const share : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
    {
        mirror none(params_of(share, 1));
        CHECK(copied_of(none, 1000) == 0);
    }
}

TEST_CASE("mirror: no more than so many at once")
{
    mirror m(params_of(1, 2));
    CHECK(m.begin(1));
    CHECK(m.begin(2));
    CHECK_FALSE(m.begin(3));
    CHECK_FALSE(m.begin(4));
    CHECK(m.in_flight() == 2);
    CHECK(m.left_out() == 2);
    m.end();
    CHECK(m.begin(5));
    CHECK_FALSE(m.begin(6));
    mirror off(params_of(1, 0));
    CHECK_FALSE(off.begin(1));
}
