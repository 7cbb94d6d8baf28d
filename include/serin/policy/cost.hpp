// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_COST_HPP
#define SERIN_POLICY_COST_HPP

#include <serin/chat/response.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace serin {

/// Money in billionths of a dollar: whole numbers, so that sums of many small bills are exact. Up to 9.2 billion
/// dollars; sums stop there.
using nano_dollars = std::int64_t;

/// One dollar.
inline constexpr nano_dollars one_dollar = 1'000'000'000;

/// What a provider takes for a million tokens, in @ref nano_dollars. Negative numbers count as 0. All 0: nothing is
/// known, or nothing is to be paid.
struct price
{
    /// For tokens of the prompt.
    nano_dollars input = 0;

    /// For tokens of the answer.
    nano_dollars output = 0;

    /// For tokens of the prompt that the provider had in its cache. Not set: as `input`.
    std::optional<nano_dollars> cached_input = {};

    /// For tokens of the answer that are reasoning. Not set: as `output`.
    std::optional<nano_dollars> reasoning = {};

    /// Whether all prices are the same.
    friend bool operator==(price const&, price const&) = default;
};

/// Whether tokens cost anything.
bool is_free(price const& p) noexcept;

/// What the tokens of one answer cost, to the nearest nano-dollar.
///
/// Every token is paid for once: cached ones are part of `prompt_tokens`, reasoning is part of `completion_tokens`.
/// Where a server counts reasoning beside the completion (its total is the sum of all three, or the reasoning is more
/// than the completion), it is paid for on top.
nano_dollars cost_of(token_usage const& used, price const& p) noexcept;

/// The sum of two amounts, or the largest one there is.
nano_dollars add_costs(nano_dollars a, nano_dollars b) noexcept;

/// An amount as a number of dollars with as many decimals as it takes, at least two: "0.42", "12.00", "0.000000001".
std::string to_dollars(nano_dollars amount);

} // namespace serin

#endif
