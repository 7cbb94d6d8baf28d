// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_RATE_LIMIT_HPP
#define SERIN_POLICY_RATE_LIMIT_HPP

#include <cstddef>

namespace serin {

/// What becomes of a call that finds a limit reached.
enum class when_limited
{
    /// It waits, in the order in which the calls came, and fails with errc::rate_limited as soon as it is clear that
    /// its deadline comes first.
    wait,

    /// It fails at once with errc::rate_limited; `diagnostics::retry_after` says when there is room again, if that is
    /// known.
    fail,
};

/// How much is asked of an upstream, so that it does not have to refuse. Every attempt counts, those that are repeated
/// too.
///
/// Requests and tokens come in steadily and are kept for one second at most: after a pause a second's worth may go at
/// once (and one request always), the rest is spread. In no 60 seconds does more go than the limit and a second's worth
/// (1/60 of the limit); a limit of up to 60 requests is never exceeded. A request that is larger than a second's worth
/// of tokens goes when nothing is owed, and the following ones wait until it is paid for.
///
/// Limits that the server names in `x-ratelimit-*` fields, and a 429 with Retry-After, slow down further but never
/// speed up.
struct rate_limit_params
{
    /// Requests per minute. 0: no limit.
    double requests_per_minute = 0;

    /// Tokens per minute, those of the prompt and those of the answer. An attempt is charged with an estimate when it
    /// begins, and the difference is settled when the server tells what it used. 0: no limit.
    double tokens_per_minute = 0;

    /// Attempts at the same time; a stream counts until it ends. 0: no limit.
    std::size_t max_concurrent = 0;

    /// What becomes of a call that finds a limit reached.
    when_limited on_limit = when_limited::wait;
};

/// Whether there is any limit in it.
inline bool has_limits(rate_limit_params const& p) noexcept
{
    return p.requests_per_minute > 0 || p.tokens_per_minute > 0 || p.max_concurrent != 0;
}

} // namespace serin

#endif
