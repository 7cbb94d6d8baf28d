// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "tls_identity.hpp"

#include <serin/core/error.hpp>
#include <serin/core/with_diagnostics.hpp>

#include <openssl/ssl.h>

#include <utility>

namespace serin::gateway {
namespace {

int select_http_1_1(SSL*, unsigned char const** out, unsigned char* out_size, unsigned char const* offered,
    unsigned int offered_size, void*)
{
    static constexpr unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    int const result = SSL_select_next_proto(&chosen, out_size, ours, sizeof ours, offered, offered_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// OpenSSL would ask on the terminal.
int give_no_password(char*, int, int, void*)
{
    return -1;
}

void check_identity(error_code const& ec, std::string const& file)
{
    if (!ec)
        return;
    diagnostics diag;
    diag.message = file + ": " + ec.message();
    throw api_error(errc::invalid_argument, std::move(diag));
}

} // namespace

std::shared_ptr<asio::ssl::context> load_tls_identity(
    std::string const& certificate_file, std::string const& private_key_file)
{
    auto const context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                         asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    error_code ec;
    context->use_certificate_chain_file(certificate_file, ec);
    check_identity(ec, certificate_file);
    SSL_CTX_set_default_passwd_cb(context->native_handle(), give_no_password);
    context->use_private_key_file(private_key_file, asio::ssl::context::pem, ec);
    check_identity(ec, private_key_file);
    SSL_CTX* const native = context->native_handle();
    SSL_CTX_set_alpn_select_cb(native, select_http_1_1, nullptr);
    static constexpr unsigned char id[] = "serin gateway";
    SSL_CTX_set_session_id_context(native, id, sizeof id - 1);
    return context;
}

} // namespace serin::gateway
