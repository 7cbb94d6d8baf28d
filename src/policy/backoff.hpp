// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_BACKOFF_HPP
#define SERIN_SRC_POLICY_BACKOFF_HPP

#include <serin/policy/retry.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace serin {

// How long retry `n` of a call, counted from 0, waits: uniform from zero to min(max_delay, base_delay * 2^n), both
// included ("full jitter"). `random` is uniform over all values.
inline std::chrono::steady_clock::duration backoff(retry_params const& params, int n, std::uint64_t random) noexcept
{
    using std::chrono::steady_clock;
    auto const base = std::max<steady_clock::rep>(params.base_delay.count(), 0);
    auto const max = std::max<steady_clock::rep>(params.max_delay.count(), 0);
    // Shifted this way round nothing can overflow.
    int const shift = std::clamp(n, 0, 62);
    auto const limit = base > max >> shift ? max : base << shift;
    return steady_clock::duration(static_cast<steady_clock::rep>(random % (static_cast<std::uint64_t>(limit) + 1)));
}

// The same for a server that does not want to be asked for another `rest`. The jitter comes on top, so that its clients
// do not all return at once, and none too early.
inline std::chrono::steady_clock::duration delay_before_retry(
    retry_params const& params, int n, std::chrono::steady_clock::duration rest, std::uint64_t random) noexcept
{
    rest = std::max(rest, rest.zero());
    return rest + std::min(backoff(params, n, random), rest.max() - rest);
}

} // namespace serin

#endif
