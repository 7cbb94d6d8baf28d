// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_POLICY_COST_REPORT_HPP
#define SERIN_POLICY_COST_REPORT_HPP

#include <serin/policy/cost.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace serin {

/// What was spent on one upstream, one model, with one key and for one tag.
struct cost_line
{
    std::string upstream;                ///< Who was asked.
    std::string model;                   ///< For which model.
    std::string key;                     ///< Fingerprint of the key that was used; empty if none was.
    std::string tag;                     ///< What the callers have put it down to.
    std::uint64_t attempts = 0;          ///< Attempts that cost something, those that failed among them.
    std::uint64_t prompt_tokens = 0;     ///< Tokens read.
    std::uint64_t cached_tokens = 0;     ///< Of them: from the provider's cache.
    std::uint64_t completion_tokens = 0; ///< Tokens written.
    std::uint64_t reasoning_tokens = 0;  ///< Of them: reasoning.
    nano_dollars cost = 0;               ///< What that comes to.
};

/// How much of a budget is spent today.
struct budget_line
{
    std::string budget;     ///< Its name.
    nano_dollars daily = 0; ///< How much there is.
    nano_dollars spent = 0; ///< How much is gone.
    bool refuses = false;   ///< It is used up, and what counts towards it is not sent.
};

/// What a client has spent.
struct cost_report
{
    std::vector<cost_line> lines;     ///< Since it was made. The dearest first.
    std::vector<budget_line> budgets; ///< Today.
};

} // namespace serin

#endif
