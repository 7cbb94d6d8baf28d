// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_ERROR_ANSWER_HPP
#define SERIN_SRC_GATEWAY_ERROR_ANSWER_HPP

#include <serin/core/diagnostics.hpp>
#include <serin/core/error.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace serin::gateway {

// What a caller is told about a failure, in OpenAI's terms.
class error_answer
{
public:
    int status = 500;
    std::string message;
    std::string type = "api_error"; // Empty: null.
    std::string param;              // Empty: null.
    std::string code;               // Empty: null.
    bool code_is_number = false;
    std::optional<std::chrono::milliseconds> retry_after;
    bool retry_is_useless = false; // Callers' libraries would try again for some statuses.

    error_answer() {}
    error_answer(int s, std::string t, std::string c, std::string m)
        : status(s),
          message(std::move(m)),
          type(std::move(t)),
          code(std::move(c))
    {}

    // {"error": {...}}
    std::string body() const;
};

// What a caller is told about a call that failed. What he has done wrong himself is told as the upstream told it. That
// an upstream is down, or does not accept the gateway's key, is a fault of the gateway's, however the upstream put it.
error_answer answer_to_failure(error_code ec, diagnostics const& diag);

} // namespace serin::gateway

#endif
