// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_HTTP_PARAMS_HPP
#define SERIN_HTTP_PARAMS_HPP

#include <serin/core/tls_params.hpp>

#include <chrono>
#include <cstddef>

namespace serin {

/// The type of every configured duration.
using duration = std::chrono::steady_clock::duration;

/// Connections of a client. A host is one origin (scheme, name, port) with one TLS configuration.
struct pool_params
{
    /// Live connections to one host at most; further calls wait in order. From openai-python. At least 1.
    std::size_t max_per_host = 1000;

    /// Idle connections kept to one host.
    std::size_t max_idle_per_host = 100;

    /// Idle connections kept in all.
    std::size_t max_idle = 200;

    /// How long more idle connections than that are kept, so that a burst does not connect anew each time.
    duration trim_delay = std::chrono::seconds(5);

    /// How long an idle connection is used again. The server's `Keep-Alive: timeout` shortens it.
    duration idle_timeout = std::chrono::seconds(90);

    /// How long a connection is used in all, less a random tenth, so that changes in DNS reach the client.
    duration max_lifetime = std::chrono::minutes(10);
};

/// Deadlines. Each has its own @ref errc. Zero turns one off, except `total`, which may not be zero.
struct timeout_params
{
    /// Waiting for a free connection; errc::pool_timeout.
    duration pool = std::chrono::seconds(10);

    /// Resolving the name and connecting; errc::connect_timeout. From openai-python.
    duration connect = std::chrono::seconds(5);

    /// The TLS handshake; errc::tls_timeout.
    duration tls = std::chrono::seconds(10);

    /// The server takes no byte of the request; errc::write_timeout.
    duration write = std::chrono::seconds(30);

    /// From the last byte of the request to the first of the answer; errc::first_byte_timeout. From the official SDKs.
    duration first_byte = std::chrono::seconds(600);

    /// The same where another upstream could answer.
    duration first_byte_failover = std::chrono::seconds(30);

    /// From the last byte of the request to the first token of a stream; errc::first_token_timeout. Off.
    duration first_token = std::chrono::seconds(0);

    /// Between two bytes of an answer, comments in a stream included; errc::idle_timeout.
    duration idle = std::chrono::seconds(120);

    /// Between two tokens of a stream, comments do not count; errc::token_idle_timeout. Runs only while
    /// someone waits for the token.
    duration token_idle = std::chrono::seconds(60);

    /// The whole call, all attempts and waits; errc::deadline_exceeded. From the official SDKs.
    duration total = std::chrono::seconds(600);
};

/// What an answer may cost in memory; beyond it the call fails with errc::response_too_large.
struct limit_params
{
    /// Status line and header fields of a response, and the trailer fields. Bytes.
    std::size_t head = 64 * 1024;

    /// Body of a whole answer. Bytes.
    std::size_t body = 64 * 1024 * 1024;

    /// A line and an event of a stream. Bytes.
    std::size_t event = 32 * 1024 * 1024;

    /// Bytes that all calls of the client hold together; errc::memory_limit.
    std::size_t buffered = 512 * 1024 * 1024;
};

} // namespace serin

#endif
