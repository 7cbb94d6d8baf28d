// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_MOCK_CERTIFICATE_HPP
#define SERIN_SRC_MOCK_CERTIFICATE_HPP

#include <string>

namespace serin::mock {

// What makes up one TLS identity of a provider, all in PEM.
class certificate_set
{
public:
    std::string ca;
    std::string server_certificate;
    std::string server_key;
    std::string client_certificate;
    std::string client_key;

    certificate_set() {}
};

// Makes a certificate authority of a moment, and certificates for a server and a client. `host`: the server's name;
// empty: localhost, 127.0.0.1 and ::1. Throws std::runtime_error if OpenSSL fails.
certificate_set make_certificates(std::string const& host, bool expired);

} // namespace serin::mock

#endif
