// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_HEDGE_HPP
#define SERIN_POLICY_HEDGE_HPP

#include <chrono>

namespace serin {

/// Asking a second upstream while the first has not answered yet. The first good answer wins (of a stream, the first
/// token) and the other attempt is cancelled; providers may bill both. At most one hedge at a time, paid out of the
/// client's retry budget, and only where there is another upstream. Off by default.
struct hedge_params
{
    /// How long the first attempt may take before the second begins. Zero: no hedging, but for `at_p95`.
    std::chrono::steady_clock::duration delay{};

    /// The delay is what 95 of 100 of the upstream's latest answers took less than; `delay` while fewer than 20 are
    /// known.
    bool at_p95 = false;
};

} // namespace serin

#endif
