// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_HEALTH_HPP
#define SERIN_POLICY_HEALTH_HPP

#include <serin/core/circuit_state.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace serin {

/// When an upstream is ejected, that is, left alone for a while because it fails, and when it is asked again.
///
/// What counts as a failure: what an upstream is to blame for, such as a status of 500 or more, a connection that
/// cannot be made or breaks, a time-out and a truncated answer. What does not: the caller's mistakes (400, 422, a model
/// that the caller made up), filtered content, cancellations, and being asked too often (429).
///
/// Never more than half of the upstreams that can answer a request are left out, rounded down, so that an only one
/// never is: the least bad ones are asked all the same.
struct health_params
{
    /// An upstream is ejected after so many failures in a row. 0: not for that reason. From Envoy's outlier detection.
    int consecutive_failures = 5;

    /// It is also ejected when at least this share of its requests in the `window` failed. From 0 to 1; more than 1:
    /// not for that reason. From Hystrix.
    double failure_rate = 0.5;

    /// What the share is counted over. At least 10 ms. Hystrix has 10 s, for requests that take milliseconds; LiteLLM
    /// has 60 s.
    std::chrono::steady_clock::duration window = std::chrono::seconds(30);

    /// The share says nothing about fewer requests than this. From Hystrix.
    std::size_t min_requests = 20;

    /// How long the first ejection lasts. Then single requests are let through, one at a time: a success ends the
    /// ejection, a failure ejects for twice as long as before. From Hystrix and LiteLLM.
    std::chrono::steady_clock::duration ejection = std::chrono::seconds(5);

    /// The longest ejection: so long after its recovery at most an upstream serves again, if it is asked.
    std::chrono::steady_clock::duration max_ejection = std::chrono::seconds(30);

    /// Each ejection is shortened by a random part of up to this share, so that the clients of an upstream do not all
    /// come back at once. From 0 to 1.
    double jitter = 0.2;
};

/// How an upstream is doing.
struct upstream_status
{
    std::string name = {};                             ///< The upstream.
    circuit_state circuit = circuit_state::closed;     ///< Whether it is asked.
    std::chrono::steady_clock::duration ejected_for{}; ///< How long it stays ejected. Zero: it is not.
    std::chrono::steady_clock::duration resting_for{}; ///< It asked not to be asked for so long. Zero: it did not.
    std::size_t in_flight = 0;                         ///< Attempts under way.
};

} // namespace serin

#endif
