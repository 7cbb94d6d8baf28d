// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_SHARED_LIMITS_HPP
#define SERIN_POLICY_SHARED_LIMITS_HPP

#include <serin/policy/rate_limit.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

namespace serin {

/// Rate limits that several processes keep together. Derive from it to share them by other means than Redis. All
/// functions may be called from any thread, must return without blocking, and must not throw.
class shared_limits
{
public:
    /// What became of a request for room.
    struct verdict
    {
        bool admitted = false; ///< Its requests and tokens were taken; otherwise nothing was.

        /// When its turn is, from now on; if it was not admitted, when it would have been.
        std::chrono::microseconds wait{};
    };

    virtual ~shared_limits() = default;

    /// Takes one request and so many tokens from what all processes may use under this name, for the first moment that
    /// has room for them and for all who came before, unless that is later than `max_wait`. `limits` says how much
    /// there is; its max_concurrent and on_limit mean nothing here. Calls `done` once, at once or soon and from any
    /// thread; with nothing if the others cannot be asked, and then the process' own limits alone count.
    virtual void take(std::string_view name, rate_limit_params const& limits, double tokens,
        std::chrono::microseconds max_wait, std::function<void(std::optional<verdict>)> done) = 0;

    /// Gives back what was taken and not used; a negative number takes what was used beyond it.
    virtual void give_back(std::string_view name, rate_limit_params const& limits, double requests, double tokens) = 0;
};

} // namespace serin

#endif
