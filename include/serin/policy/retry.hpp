// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_RETRY_HPP
#define SERIN_POLICY_RETRY_HPP

#include <serin/core/headers.hpp>

#include <chrono>
#include <optional>

namespace serin {

/// How often a request is tried, when, and how many tries all calls together may add.
struct retry_params
{
    /// Tries of one call at most, at all upstreams, the first one and hedges included. At least 1. The cap of gRPC's
    /// retry design (A6).
    int max_attempts = 5;

    /// The n-th delayed retry of a call, counted from 0, waits a random time of up to `base_delay` * 2^n. From the
    /// official SDKs.
    std::chrono::steady_clock::duration base_delay = std::chrono::milliseconds(500);

    /// The most that this random time can be. From the official SDKs.
    std::chrono::steady_clock::duration max_delay = std::chrono::seconds(8);

    /// The longest `Retry-After` that is waited for. A server that asks for more is not asked again by the call. From
    /// openai-node.
    std::chrono::steady_clock::duration max_retry_after = std::chrono::seconds(60);

    /// Retries that all calls together may send to an upstream, as a share of the requests of the last 10 s: with 0.2
    /// an outage turns 100 requests into 120 at most. Asking a second upstream is free; asking a third one, and
    /// hedging, is paid from a budget of the whole client, of the same size. From 0; counted in thousandths. From
    /// Finagle.
    double budget_ratio = 0.2;

    /// Retries per second that are allowed on top of this share, for clients with few requests. From 0. From Finagle.
    int budget_per_second = 10;
};

/// When the server wants to be asked again: `retry-after-ms`, else `Retry-After` in seconds or as a date, which is
/// compared with `now`. Nothing if there is no such field, or if what it says is negative, past or unreadable.
std::optional<std::chrono::milliseconds> retry_after(headers const& fields, std::chrono::system_clock::time_point now);

} // namespace serin

#endif
