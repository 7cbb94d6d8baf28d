// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_HTTP_TLS_HPP
#define SERIN_SRC_HTTP_TLS_HPP

#include <serin/core/error.hpp>
#include <serin/http/params.hpp>

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace serin {

struct origin;

struct ssl_deleter
{
    void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
    void operator()(SSL* p) const noexcept { SSL_free(p); }
    void operator()(SSL_SESSION* p) const noexcept { SSL_SESSION_free(p); }
};

using ssl_ptr = std::unique_ptr<SSL, ssl_deleter>;

// TLS sessions of one host, to be resumed. TLS 1.3 tickets are used once. Safe from any thread.
class tls_sessions
{
public:
    // Takes over the session.
    void put(SSL_SESSION* session);

    // Gives the newest session to a new connection, if there is one.
    void offer(SSL* ssl);

private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<SSL_SESSION, ssl_deleter>> sessions_;
};

// What TLS connections of a client with the same configuration share: trusted certificates and the client's own.
// Read from the disk when the first connection needs it. Safe from any thread.
class tls_context
{
public:
    explicit tls_context(tls_params params);

    // Whether both are made of the same configuration.
    bool is_same(tls_context const& other) const noexcept;

    // A client for one connection to `to`, which checks the certificate's chain and the host's name.
    // On failure null, and `why` says what is missing.
    ssl_ptr make_client(origin const& to, std::shared_ptr<tls_sessions> const& sessions, std::string& why);

private:
    bool load(std::string& why);

    tls_params params_;
    std::mutex mutex_;
    std::unique_ptr<SSL_CTX, ssl_deleter> context_;
};

// What the last failed OpenSSL call of this thread had to say. Empties OpenSSL's error queue.
std::string tls_error_text(SSL const* ssl);

} // namespace serin

#endif
