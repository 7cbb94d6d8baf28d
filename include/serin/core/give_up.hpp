// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_GIVE_UP_HPP
#define SERIN_CORE_GIVE_UP_HPP

#include <string_view>

namespace serin {

/// Why a failed call was not tried again.
enum class give_up
{
    none,          ///< It did not fail, or is still being tried.
    not_retryable, ///< Another try could not help.
    attempts,      ///< `retry_params::max_attempts` is used up.
    budget,        ///< The retry budget is empty: more tries would multiply an outage.
    retry_after,   ///< The server wants to be left alone for longer than `retry_params::max_retry_after`.
    deadline,      ///< The next try could not begin before the deadline.
    token_seen,    ///< A part of the answer was handed out already.
};

/// The name of a reason as it stands in the enumeration, for example "budget". "unknown" for other values.
std::string_view give_up_name(give_up why) noexcept;

} // namespace serin

#endif
