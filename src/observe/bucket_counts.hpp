// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_OBSERVE_BUCKET_COUNTS_HPP
#define SERIN_SRC_OBSERVE_BUCKET_COUNTS_HPP

#include <serin/observe/metric_family.hpp>

#include <boost/histogram/axis/option.hpp>
#include <boost/histogram/axis/variable.hpp>
#include <boost/histogram/histogram.hpp>
#include <boost/histogram/storage_adaptor.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>

namespace serin {

// The buckets of OpenTelemetry's conventions for GenAI clients: of durations, in seconds, and of numbers of tokens.
std::span<double const> duration_buckets() noexcept;
std::span<double const> token_buckets() noexcept;

// How many values fell into which bucket. A value on a bound belongs to the bucket that ends there.
class bucket_counts
{
public:
    // The bounds outlive it.
    explicit bucket_counts(std::span<double const> bounds);

    // That value so many times.
    void add(double value, std::uint64_t times = 1);
    void add(std::chrono::steady_clock::duration d, std::uint64_t times = 1)
    {
        add(std::chrono::duration<double>(d).count(), times);
    }

    std::uint64_t count() const noexcept { return count_; }
    double sum() const noexcept { return sum_; }

    // Sets what a point has of a histogram.
    void put_into(metric_point& p) const;

private:
    using axis = boost::histogram::axis::variable<double, boost::histogram::use_default,
        boost::histogram::axis::option::bitset<boost::histogram::axis::option::underflow_t::value |
                                               boost::histogram::axis::option::overflow_t::value>>;
    using counts = boost::histogram::histogram<std::tuple<axis>, boost::histogram::dense_storage<std::uint64_t>>;

    counts counts_;
    std::span<double const> bounds_;
    std::uint64_t count_ = 0;
    double sum_ = 0;
    int latest_ = 0; // The bucket of the latest value
    double from_ = 0;
    double to_ = 0;
};

} // namespace serin

#endif
