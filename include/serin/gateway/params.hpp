// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_GATEWAY_PARAMS_HPP
#define SERIN_GATEWAY_PARAMS_HPP

#include <serin/core/logger.hpp>
#include <serin/core/secret.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace serin::gateway {

/// What callers may do to a gateway, and how long they may take.
struct caller_limits
{
    /// Bytes of a request's head.
    std::size_t head = 64 * 1024;

    /// Bytes of a request's body.
    std::size_t body = 32 * 1024 * 1024;

    /// Connections at one time. One more is answered with 429 and closed. From 1.
    std::size_t connections = 10'000;

    /// For the TLS handshake, and for a head, from its first byte to its last.
    std::chrono::milliseconds head_timeout = std::chrono::seconds(10);

    /// For a body, from the head's last byte to its own.
    std::chrono::milliseconds body_timeout = std::chrono::seconds(120);

    /// Between two requests of a connection.
    std::chrono::milliseconds idle_timeout = std::chrono::seconds(75);

    /// For a caller to take 64 KiB of an answer, or the less that there is. A slower one is cut off.
    std::chrono::milliseconds write_timeout = std::chrono::seconds(30);
};

/// Where a gateway is administrated. Only on an address of this machine itself.
struct admin_params
{
    /// A loopback address. Empty: there is no such listener.
    std::string address = {};

    /// The port; 0: any free one.
    unsigned short port = 0;

    /// Who knows it may administrate. Must not be empty if there is an address.
    secret token = {};
};

/// What a gateway is made of, besides its client's parameters.
struct params
{
    /// The IP address to listen on.
    std::string address = "127.0.0.1";

    /// The port; 0: any free one.
    unsigned short port = 0;

    /// Callers must send one of these as `Authorization: Bearer ...`. Empty: no token is asked for, which is allowed on
    /// a loopback address only.
    std::vector<secret> tokens = {};

    /// PEM files with the certificate chain and its private key. Both empty: plain http.
    std::string certificate_file = {};
    std::string private_key_file = {}; ///< @copydoc certificate_file

    /// Limits on callers.
    caller_limits limits = {};

    /// How long @ref server::drain goes on accepting while `/readyz` already says 503, so that a balancer, which asks
    /// on a connection of its own, can send callers elsewhere. 0: not at all.
    std::chrono::milliseconds drain_notice{0};

    /// Whether several threads run the context.
    bool several_threads = true;

    /// The file that the client's parameters come from. It is watched, and read again when it changes. Empty: there is
    /// none.
    std::string config_path = {};

    /// The admin listener. None.
    admin_params admin = {};

    /// Receives a line for each request, at log_level::info: with the alias, the upstream, the status and the time it
    /// took, and without anything that the caller has written. Empty: no lines.
    logger log = {};
};

} // namespace serin::gateway

#endif
