// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_BINOMIAL_HPP
#define SERIN_SRC_POLICY_BINOMIAL_HPP

#include <cstdint>

namespace serin {

// Exact tests of counts. The usual approximations by the normal distribution (Wilson and Newcombe among them) are good
// to a few per cent of an error of 5 %. Here shares are around 1 % or less and the errors allowed are around one in a
// million, where they may be wrong by orders of magnitude; and the exact sums are quick enough.

// The chance that of `n` requests, each of which fails with probability `p`, `x` or more fail.
double binomial_upper_tail(std::uint64_t x, std::uint64_t n, double p) noexcept;

// The chance that of `n` requests, each of which fails with probability `p`, `x` or less fail.
double binomial_lower_tail(std::uint64_t x, std::uint64_t n, double p) noexcept;

// Two sides, of which a has seen `a_failed` of `a_total` requests fail and b `b_failed` of `b_total`. The chance that
// so many or more of all these failures would have been a's if the odds to fail were `ratio` times as high at a as they
// are at b: Fisher's exact test. It depends on what the sides have in common, the total of failures, and not on the
// rate itself, which nobody knows.
double fisher_upper_tail(std::uint64_t a_failed, std::uint64_t a_total, std::uint64_t b_failed, std::uint64_t b_total,
    double ratio) noexcept;

} // namespace serin

#endif
