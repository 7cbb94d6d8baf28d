// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_RETRY_HPP
#define SERIN_POLICY_RETRY_HPP

#include <serin/core/headers.hpp>

#include <chrono>
#include <optional>

namespace serin {

/// How often a request is tried.
struct retry_params
{
    /// Tries of one call at most, the first included. At least 1. Has no effect yet: every call is tried once.
    int max_attempts = 1;
};

/// When the server wants to be asked again: `retry-after-ms`, else `Retry-After` in seconds or as a date, which is
/// compared with `now`. Nothing if there is no such field, or if what it says is negative, past or unreadable.
std::optional<std::chrono::milliseconds> retry_after(headers const& fields, std::chrono::system_clock::time_point now);

} // namespace serin

#endif
