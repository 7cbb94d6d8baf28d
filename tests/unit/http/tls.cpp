// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/http/tls.hpp"

#include "../../../src/http/url.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "catch.hpp"

using serin::tls_context;
using serin::tls_params;
using serin::tls_sessions;

namespace {

using ctx_ptr = std::unique_ptr<SSL_CTX, serin::ssl_deleter>;

// A session that could be resumed, told apart by its id.
SSL_SESSION* make_session(int version, unsigned char id)
{
    SSL_SESSION* const s = SSL_SESSION_new();
    SSL_SESSION_set_protocol_version(s, version);
    SSL_SESSION_set1_id(s, &id, 1);
    return s;
}

// The id of the session that a new connection is offered; -1: none.
int offered(tls_sessions& sessions, SSL_CTX* context)
{
    serin::ssl_ptr const ssl(SSL_new(context));
    sessions.offer(ssl.get());
    SSL_SESSION const* const s = SSL_get_session(ssl.get());
    if (!s)
        return -1;
    unsigned size = 0;
    unsigned char const* const id = SSL_SESSION_get_id(s, &size);
    return size == 1 ? id[0] : -1;
}

} // namespace

TEST_CASE("tls: sessions of TLS 1.3 are used once, the newest first")
{
    ctx_ptr const context(SSL_CTX_new(TLS_client_method()));
    tls_sessions sessions;
    CHECK(offered(sessions, context.get()) == -1);
    sessions.put(make_session(TLS1_3_VERSION, 1));
    sessions.put(make_session(TLS1_3_VERSION, 2));
    CHECK(offered(sessions, context.get()) == 2);
    CHECK(offered(sessions, context.get()) == 1);
    CHECK(offered(sessions, context.get()) == -1);
}

TEST_CASE("tls: a session of TLS 1.2 is used again")
{
    ctx_ptr const context(SSL_CTX_new(TLS_client_method()));
    tls_sessions sessions;
    sessions.put(make_session(TLS1_2_VERSION, 1));
    CHECK(offered(sessions, context.get()) == 1);
    CHECK(offered(sessions, context.get()) == 1);
}

TEST_CASE("tls: only so many sessions are kept")
{
    ctx_ptr const context(SSL_CTX_new(TLS_client_method()));
    tls_sessions sessions;
    for (int i = 0; i < 200; ++i)
        sessions.put(make_session(TLS1_3_VERSION, static_cast<unsigned char>(i)));
    int kept = 0;
    for (int last = 200; int const id = offered(sessions, context.get()); ++kept)
    {
        if (id == -1)
            break;
        CHECK(id == --last);
    }
    CHECK(kept > 0);
    CHECK(kept <= 16);
}

TEST_CASE("tls: contexts of the same configuration are told")
{
    tls_params p;
    p.ca_file = "ca.pem";
    tls_context const a(p);
    tls_context const b(p);
    CHECK(a.is_same(b));
    for (std::string tls_params::*member :
        {&tls_params::ca_file, &tls_params::ca_pem, &tls_params::certificate_file, &tls_params::private_key_file})
    {
        tls_params q = p;
        q.*member = "other";
        CHECK_FALSE(a.is_same(tls_context(q)));
    }
}

TEST_CASE("tls: files that cannot be used are named")
{
    serin::origin where;
    where.tls = true;
    where.host = "example.com";
    auto const why = [&](tls_params const& p) {
        std::string text;
        CHECK_FALSE(tls_context(p).make_client(where, std::make_shared<tls_sessions>(), text));
        return text;
    };
    tls_params p;
    p.ca_file = "/no/such/ca.pem";
    CHECK_THAT(why(p), ContainsSubstring("/no/such/ca.pem"));
    p = tls_params();
    p.ca_pem = "not a certificate";
    CHECK_THAT(why(p), ContainsSubstring("ca_pem"));
}
