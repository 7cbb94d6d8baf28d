// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_TRAFFIC_HPP
#define SERIN_SRC_GATEWAY_TRAFFIC_HPP

#include "../policy/duration_histogram.hpp"

#include <serin/core/diagnostics.hpp>
#include <serin/core/error.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace serin::gateway {

// A request that failed, or that an upstream failed before another one answered it.
struct traffic_failure
{
    std::chrono::system_clock::time_point at{};
    std::string alias; // Empty: none of the configuration.
    std::string upstream;
    std::string kind;
    int status = 0; // Of the upstream; 0: none came.
    bool answered = false;
};

// What a request came to.
struct traffic_request
{
    std::string alias;
    std::string upstream;                           // Who answered; empty: nobody.
    std::vector<attempt> const* attempts = nullptr; // All that were made.
    std::chrono::steady_clock::duration took{};
    std::chrono::steady_clock::duration to_first_token{}; // Zero: no stream.
    std::uint64_t tokens = 0;
    error_code error; // Why it failed, or broke.

    traffic_request() {}
};

// What an upstream did in the latest minute.
struct traffic_figures
{
    std::string upstream;
    std::uint64_t answered = 0;
    std::uint64_t failed = 0; // Attempts.
    std::uint64_t tokens = 0;
    double share = 0; // Of the answers of all.
    std::optional<std::chrono::steady_clock::duration> p50;
    std::optional<std::chrono::steady_clock::duration> p95;
    std::optional<std::chrono::steady_clock::duration> p99;
    std::optional<std::chrono::steady_clock::duration> first_token_p50;
    std::optional<std::chrono::steady_clock::duration> first_token_p99;
};

// Counts what callers were answered, for people who look at it: the latest minute, in steps of five seconds. Of callers
// it keeps nothing but the aliases that they used.
class traffic
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    void add(traffic_request const& request, time_point now, std::chrono::system_clock::time_point date);

    // One entry for each upstream that has been asked.
    std::vector<traffic_figures> figures(time_point now);

    // The latest ones, newest first.
    std::deque<traffic_failure> const& failures() const noexcept { return failures_; }

private:
    static constexpr std::size_t steps = 12;
    static constexpr std::size_t max_failures = 50;

    struct step
    {
        std::int64_t number = -1; // Since the clock's epoch.
        std::uint64_t answered = 0;
        std::uint64_t failed = 0;
        std::uint64_t tokens = 0;
        duration_histogram took;
        duration_histogram to_first_token;
    };

    step& step_of(std::string const& upstream, time_point now);

    std::map<std::string, std::array<step, steps>> upstreams_;
    std::deque<traffic_failure> failures_;
};

} // namespace serin::gateway

#endif
