// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_CONNECT_HPP
#define SERIN_SRC_HTTP_CONNECT_HPP

#include "connection.hpp"
#include "resolve.hpp"
#include "url.hpp"

#include <serin/core/diagnostics.hpp>
#include <serin/http/params.hpp>

#include <memory>
#include <string>

namespace serin {

// Why something in the transport failed, and how far it came.
struct transport_failure
{
    error_code ec;
    std::string detail;
    call_phase phase = call_phase::none;
    bool lasting = false; // The host's certificate is not good: another try will find the same.
};

// A place to connect to, with what its connections share.
struct endpoint
{
    origin where;
    std::shared_ptr<tls_context> tls; // Null for plain http.
    std::shared_ptr<tls_sessions> sessions;
    std::shared_ptr<resolve_cache> resolver;
    asio::any_io_executor executor; // Of the sockets.
    timeout_params timeouts;
};

// Resolves, connects and shakes hands. Null with `failure` filled when that fails. Addresses are tried in turn, the
// next one 250 ms after the last unless that failed before (RFC 8305); the first that answers wins.
task<std::unique_ptr<connection>> connect(fiber& f, endpoint const& to, transport_failure& failure);

} // namespace serin

#endif
