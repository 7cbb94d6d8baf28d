// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TOOLS_SERIN_REPORT_HPP
#define SERIN_TOOLS_SERIN_REPORT_HPP

#include <serin/chat/response.hpp>
#include <serin/core/diagnostics.hpp>
#include <serin/core/error.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace serin::tools {

// How a call ended.
class chat_outcome
{
public:
    error_code ec;
    serin::diagnostics diag;
    std::optional<chat_response> response;                            // The answer; on failure what arrived of it.
    std::chrono::steady_clock::duration latency{};                    // From the start to the end.
    std::optional<std::chrono::steady_clock::duration> time_to_token; // Of a stream that brought one.

    chat_outcome() {}
};

// One JSON object that tells all of it, without a line end.
std::string to_document(chat_outcome const& outcome);

// One line for stderr, without a line end: kind, message, status, request id, and the attempt of `max_attempts`.
std::string to_error_line(error_code const& ec, diagnostics const& diag, int max_attempts);

} // namespace serin::tools

#endif
