// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_ERROR_HPP
#define SERIN_CORE_ERROR_HPP

#include <serin/core/config.hpp>

#include <boost/system/error_code.hpp>

#include <string_view>
#include <type_traits>

namespace serin {

/// The error type of every function of the library.
using error_code = boost::system::error_code;

/// The causes of failure. Cancellation is not among them: a cancelled operation completes with
/// `asio::error::operation_aborted`. What the server said about a failure is in @ref diagnostics.
enum class errc
{
    // --- The caller's mistakes: nothing was sent ---

    /// A parameter of the request or of the configuration is out of range or missing.
    invalid_argument = 1,

    /// A base URL cannot be used.
    invalid_url,

    /// A key is missing, empty, or holds bytes that cannot stand in a header.
    invalid_key,

    /// A key would go over plain http to another machine, and nobody allowed that.
    insecure_transport,

    // --- The server refused: asking again will not help ---

    /// The server cannot accept the request as it is (400, 413, 422 and other 4xx).
    invalid_request,

    /// The server does not accept the key (401).
    authentication,

    /// The key is valid but may not do this (403).
    permission,

    /// No such model or path (404).
    not_found,

    /// The prompt does not fit the model's context window.
    context_length_exceeded,

    /// A content filter refused the prompt or the answer.
    content_filtered,

    /// The model refused to answer, where an answer of a given form was asked for.
    refused,

    /// The account behind the key is out of money or quota (402, insufficient_quota).
    quota_exhausted,

    /// A budget of the client's own is used up for today: nothing was sent.
    budget_exceeded,

    /// The server answered with a redirect, which is never followed: the key stays at home.
    redirected,

    // --- The server cannot answer now ---

    /// Too many requests or tokens for now (429).
    rate_limited,

    /// The server has no capacity for now (503, 529, or an error code that says so).
    overloaded,

    /// The server failed (any other status from 500 on).
    server_error,

    /// The request conflicts with another one (409).
    conflict,

    /// The server gave up waiting for the request (408).
    request_timeout,

    // --- The network, before the first byte of an answer ---

    /// The host name has no address.
    resolve_failed,

    /// No address of the host accepted a connection.
    connect_failed,

    /// The TLS handshake failed, or the certificate is not trusted or not for this host.
    tls_failed,

    /// The connection broke before the first byte of the answer.
    connection_lost,

    // --- Deadlines ---

    /// No connection became free in time.
    pool_timeout,

    /// Resolving the name and connecting took too long.
    connect_timeout,

    /// The TLS handshake took too long.
    tls_timeout,

    /// The server stopped taking the request.
    write_timeout,

    /// No byte of an answer in time.
    first_byte_timeout,

    /// The stream began but brought no token in time.
    first_token_timeout,

    /// No bytes for too long, within an answer.
    idle_timeout,

    /// No token for too long, within a stream.
    token_idle_timeout,

    /// The call as a whole took too long.
    deadline_exceeded,

    // --- A broken answer, after its first byte ---

    /// The stream ended before the model had finished. What arrived is in `diagnostics::partial`.
    stream_truncated,

    /// The stream holds something that is not a chunk, or an error whose code names no other cause.
    stream_error,

    /// The answer is not valid HTTP, not valid JSON, or not a chat completion.
    malformed_response,

    /// The model came to the limit of tokens before it had finished, where only a whole answer is of use.
    length_limited,

    /// The model still called tools after the last round that was allowed.
    too_many_rounds,

    /// The answer, or a part of it, is larger than the limits allow.
    response_too_large,

    /// Too many bytes are buffered by this client already.
    memory_limit,
};

/// The name of a cause as it stands in the enumeration, for example "rate_limited". "unknown" for other values.
std::string_view errc_name(errc e) noexcept;

/// The name of the cause behind any error code: the errc's own, "cancelled" for
/// `asio::error::operation_aborted`, "system" for others, "" for success.
std::string_view kind_name(error_code const& ec) noexcept;

/// The category of @ref errc; its name is "serin".
boost::system::error_category const& serin_category() noexcept;

/// Makes an error code of a cause; found by argument-dependent lookup.
inline error_code make_error_code(errc e) noexcept
{
    return error_code(static_cast<int>(e), serin_category());
}

} // namespace serin

namespace boost::system {

template <>
struct is_error_code_enum<serin::errc> : std::true_type
{};

} // namespace boost::system

#endif
