// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_DIAGNOSTICS_HPP
#define SERIN_CORE_DIAGNOSTICS_HPP

#include <serin/core/error.hpp>
#include <serin/core/give_up.hpp>
#include <serin/core/headers.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serin {

class chat_response;

/// How far a call came.
enum class call_phase
{
    none,    ///< Nothing was tried yet.
    limit,   ///< Waiting until the limits set for the upstream allow one more request.
    pool,    ///< Waiting for a connection.
    resolve, ///< Looking up the host name.
    connect, ///< Connecting.
    tls,     ///< In the TLS handshake.
    write,   ///< Sending the request.
    head,    ///< Waiting for the answer's head.
    body,    ///< Reading a whole answer.
    stream,  ///< Reading a stream.
};

/// The name of a phase as it stands in the enumeration.
std::string_view phase_name(call_phase phase) noexcept;

/// One try at a request.
class attempt
{
public:
    std::string upstream;                           ///< The upstream that was asked.
    int status = 0;                                 ///< HTTP status; 0 if no answer came.
    error_code error;                               ///< Why it failed; no error if it was answered.
    std::chrono::steady_clock::duration duration{}; ///< From its start to its end.
    std::chrono::steady_clock::duration waited{};   ///< Time waited before it, for a retry or a limit.

    attempt() {}
};

/// What is known about a call beyond its error code. Filled when the call fails; on success it holds the
/// trail of attempts and where the answer came from. Never holds a key: server text is scrubbed of them.
class diagnostics
{
public:
    int status = 0;              ///< HTTP status of the last answer; 0 if none came.
    std::string code;            ///< The server's error code, as sent.
    bool code_is_number = false; ///< The code was a JSON number.
    std::string type;            ///< The server's error type.
    std::string param;           ///< The request parameter that the server complains about.
    std::string message;         ///< The server's message, or ours when no answer came. May quote the prompt.
    std::string request_id;      ///< The server's name for the request, to quote in bug reports.
    serin::headers headers;      ///< Header fields of the last answer.
    std::string body;            ///< Start of the body of an error answer, at most 64 KiB.
    std::optional<std::chrono::milliseconds> retry_after; ///< When the server wants to be asked again.
    std::string upstream;                                 ///< The upstream of the last attempt.
    std::string model;                                    ///< The model that was asked for in the last attempt.
    call_phase phase = call_phase::none;                  ///< How far the last attempt came.
    std::vector<attempt> attempts;                        ///< Every attempt, oldest first.
    give_up gave_up = give_up::none;                      ///< Why a failed call was not tried once more.
    std::shared_ptr<chat_response const> partial;         ///< What had arrived of a broken stream; may be null.

    diagnostics() {}

    // Whether nobody looks at it unless the call fails, so that it need not be filled otherwise.
    bool for_failures_only() const noexcept { return for_failures_only_; }

private:
    friend class failure_diagnostics;

    bool for_failures_only_ = false;
};

// The diagnostics of a call that throws them and shows them to nobody else.
class failure_diagnostics : public diagnostics
{
public:
    failure_diagnostics() { for_failures_only_ = true; }
};

// One, in memory that calls use again and again.
std::shared_ptr<diagnostics> make_failure_diagnostics();

/// One line that says what happened: kind, message, status, request id, and why it was not tried again unless that is
/// plain. Holds no key.
std::string describe(error_code const& ec, diagnostics const& diag);

} // namespace serin

#endif
