// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "bucket_counts.hpp"

#include <cmath>
#include <limits>
#include <vector>

namespace serin {
namespace {

// Boost's buckets do not hold their upper end, those of Prometheus do.
std::vector<double> ends_after(std::span<double const> bounds)
{
    std::vector<double> ends(bounds.begin(), bounds.end());
    for (double& end : ends)
        end = std::nextafter(end, std::numeric_limits<double>::infinity());
    return ends;
}

} // namespace

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
    : counts_(std::tuple(axis(ends_after(bounds)))),
      bounds_(bounds)
{}

void bucket_counts::add(double value, std::uint64_t times)
{
    // Values are often like the one before.
    if (!(value >= from_ && value < to_))
    {
        axis const& buckets = counts_.axis();
        latest_ = buckets.index(value);
        from_ = buckets.value(latest_);
        to_ = buckets.value(latest_ + 1);
    }
    counts_.at(latest_) += times;
    count_ += times;
    sum_ += value * static_cast<double>(times);
}

void bucket_counts::put_into(metric_point& p) const
{
    p.count = count_;
    p.sum = sum_;
    p.bounds.assign(bounds_.begin(), bounds_.end());
    p.buckets.assign(counts_.begin(), counts_.end());
}

} // namespace serin
