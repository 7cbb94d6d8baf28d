// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_REDIS_PARAMS_HPP
#define SERIN_REDIS_PARAMS_HPP

#include <serin/core/logger.hpp>
#include <serin/core/secret.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace serin {

/// A Redis or Valkey server and how it is spoken to: RESP2 over plain TCP or a Unix socket. There is no TLS: use a
/// private network or a tunnel.
struct redis_params
{
    /// The server's name or address.
    std::string host = "127.0.0.1";

    /// Its port.
    std::uint16_t port = 6379;

    /// A Unix socket instead of host and port. Empty: none.
    std::string path = {};

    /// The user, for servers with access lists. Empty: the default user.
    std::string username = {};

    /// The password. Empty: none is sent.
    secret password = {};

    /// The database. 0 is the only one that a cluster has.
    unsigned database = 0;

    /// What the names of all keys begin with, so that several programs can use one server.
    std::string key_prefix = "serin:";

    /// How long a command may take, the connection that it waits for included. Positive.
    std::chrono::milliseconds command_timeout = std::chrono::milliseconds(50);

    /// How long resolving, connecting and logging in may take. Positive.
    std::chrono::milliseconds connect_timeout = std::chrono::seconds(1);

    /// The pause after a failed connection; doubles with every further one up to `max_retry_delay`, with a jitter of
    /// up to a half. Commands fail at once meanwhile.
    std::chrono::milliseconds retry_delay = std::chrono::milliseconds(100);

    std::chrono::milliseconds max_retry_delay = std::chrono::seconds(10); ///< @copydoc retry_delay

    /// How many commands may wait for their replies; further ones fail at once. Positive.
    std::size_t max_pending = 1024;

    /// How many bytes of them may wait to be sent; further ones fail at once.
    std::size_t max_pending_bytes = std::size_t(64) << 20;

    /// Receives a line when the connection is made, lost or refused. Empty: nothing is logged.
    logger log = {};
};

} // namespace serin

#endif
