// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "bucket_counts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace serin {

std::span<double const> duration_buckets() noexcept
{
    static constexpr double bounds[] = {
        0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
    return bounds;
}

std::span<double const> token_buckets() noexcept
{
    static constexpr double bounds[] = {
        1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
    return bounds;
}

bucket_counts::bucket_counts(std::span<double const> bounds)
    : counts_(std::tuple(axis(bounds.begin(), bounds.end()))),
      bounds_(bounds)
{}

void bucket_counts::add(double value)
{
    // Boost's buckets do not hold their upper end, those of Prometheus do.
    counts_(std::nextafter(value, -std::numeric_limits<double>::infinity()));
    ++count_;
    sum_ += value;
}

void bucket_counts::put_into(metric_point& p) const
{
    p.count = count_;
    p.sum = sum_;
    p.bounds.assign(bounds_.begin(), bounds_.end());
    p.buckets.assign(counts_.begin(), counts_.end());
}

} // namespace serin
