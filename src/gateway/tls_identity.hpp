// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_TLS_IDENTITY_HPP
#define SERIN_SRC_GATEWAY_TLS_IDENTITY_HPP

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace serin {

namespace asio = boost::asio;

namespace gateway {

// What a server shows to its clients: TLS 1.2 at least, http/1.1. Throws api_error if a file cannot be used.
std::shared_ptr<asio::ssl::context> load_tls_identity(
    std::string const& certificate_file, std::string const& private_key_file);

} // namespace gateway
} // namespace serin

#endif
