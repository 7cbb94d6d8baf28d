// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/give_up.hpp>

namespace serin {

std::string_view give_up_name(give_up why) noexcept
{
    switch (why)
    {
    case give_up::none: return "none";
    case give_up::not_retryable: return "not_retryable";
    case give_up::attempts: return "attempts";
    case give_up::budget: return "budget";
    case give_up::retry_after: return "retry_after";
    case give_up::deadline: return "deadline";
    case give_up::token_seen: return "token_seen";
    }
    return "unknown";
}

} // namespace serin
