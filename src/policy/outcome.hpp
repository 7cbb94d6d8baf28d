// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_POLICY_OUTCOME_HPP
#define SERIN_SRC_POLICY_OUTCOME_HPP

#include "verdict.hpp"

#include <serin/core/error.hpp>

namespace serin {

// What an attempt says about the upstream that it asked.
enum class outcome
{
    success,
    failure, // The upstream's fault.
    limited, // It works, but does not want so many requests.
    neutral, // Nothing: the request was at fault, the caller gave up or ran out of time, the content was filtered.
};

inline outcome outcome_of(error_code const& ec, verdict const& v) noexcept
{
    if (!ec)
        return outcome::success;
    return v.counts ? outcome::failure : v.cools ? outcome::limited : outcome::neutral;
}

} // namespace serin

#endif
