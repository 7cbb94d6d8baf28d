// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "exit_status.hpp"

#include <boost/asio/error.hpp>

namespace serin::tools {

exit_status exit_status_of(errc cause) noexcept
{
    switch (cause)
    {
    case errc::invalid_argument:
    case errc::invalid_url:
    case errc::invalid_key:
    case errc::insecure_transport: return exit_status::usage;

    case errc::invalid_request:
    case errc::authentication:
    case errc::permission:
    case errc::not_found:
    case errc::context_length_exceeded:
    case errc::content_filtered:
    case errc::refused:
    case errc::quota_exhausted:
    case errc::budget_exceeded:
    case errc::redirected: return exit_status::refused;

    case errc::rate_limited:
    case errc::overloaded:
    case errc::server_error:
    case errc::conflict:
    case errc::request_timeout: return exit_status::unavailable;

    case errc::resolve_failed:
    case errc::connect_failed:
    case errc::tls_failed:
    case errc::connection_lost: return exit_status::network;

    case errc::pool_timeout:
    case errc::connect_timeout:
    case errc::tls_timeout:
    case errc::write_timeout:
    case errc::first_byte_timeout:
    case errc::first_token_timeout:
    case errc::idle_timeout:
    case errc::token_idle_timeout:
    case errc::deadline_exceeded: return exit_status::deadline;

    case errc::stream_truncated:
    case errc::stream_error:
    case errc::malformed_response:
    case errc::length_limited:
    case errc::too_many_rounds:
    case errc::response_too_large:
    case errc::memory_limit: return exit_status::broken;
    }
    return exit_status::broken;
}

exit_status exit_status_of(error_code const& ec) noexcept
{
    if (!ec)
        return exit_status::answered;
    if (ec.category() == serin_category())
        return exit_status_of(static_cast<errc>(ec.value()));
    // What the system says and no cause of ours covers comes from a socket.
    return ec == asio::error::operation_aborted ? exit_status::interrupted : exit_status::network;
}

} // namespace serin::tools
