// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_CORE_TLS_PARAMS_HPP
#define SERIN_CORE_TLS_PARAMS_HPP

#include <string>

namespace serin {

/// Transport security. Verification cannot be turned off.
struct tls_params
{
    /// PEM certificates to trust instead of the system's. Empty: SSL_CERT_FILE, then the usual places.
    std::string ca_file = {};

    /// The same as text; added to what `ca_file` says. Both empty: the system's.
    std::string ca_pem = {};

    /// PEM file with the client's certificate chain, for servers that ask for one. Empty: none.
    std::string certificate_file = {};

    /// PEM file with the private key of `certificate_file`.
    std::string private_key_file = {};
};

} // namespace serin

#endif
