// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_EXIT_STATUS_HPP
#define SERIN_TOOLS_SERIN_EXIT_STATUS_HPP

#include <serin/core/error.hpp>

namespace serin::tools {

// How the program ends. docs/exit-statuses.md is the table for users; a test compares the two.
enum class exit_status
{
    answered = 0,
    failed = 1, // The program itself, for example because stdout cannot be written to.
    usage = 2,
    refused = 3,
    unavailable = 4,
    network = 5,
    deadline = 6,
    broken = 7,
    interrupted = 130, // As shells report a program that SIGINT ended.
};

// The status of a cause.
exit_status exit_status_of(errc cause) noexcept;

// The status of any error; `answered` if there is none.
exit_status exit_status_of(error_code const& ec) noexcept;

} // namespace serin::tools

#endif
