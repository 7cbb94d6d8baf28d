// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "tls.hpp"

#include "url.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <tuple>

namespace serin {
namespace {

constexpr std::size_t max_sessions_per_host = 16;

constexpr char const* system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Arch, Gentoo, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS
    "/etc/ssl/ca-bundle.pem",                            // openSUSE
    "/etc/ssl/cert.pem",                                 // Alpine, BSD, macOS
};

// Sessions reach their host through the SSL object; a connection keeps the sessions alive.
int sessions_index()
{
    static int const index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int on_new_session(SSL* ssl, SSL_SESSION* session)
{
    auto* const sessions = static_cast<tls_sessions*>(SSL_get_ex_data(ssl, sessions_index()));
    if (!sessions)
        return 0;
    sessions->put(session);
    return 1;
}

// OpenSSL would ask for the password of a private key on the terminal.
int give_no_key_password(char*, int, int, void*)
{
    return -1;
}

bool add_certificates(SSL_CTX* context, std::string const& pem)
{
    std::unique_ptr<BIO, int (*)(BIO*)> const bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
    bool any = false;
    while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    {
        any = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1 || any;
        X509_free(certificate);
    }
    ERR_clear_error();
    return any;
}

bool load_system_trust(SSL_CTX* context, std::string& why)
{
    if (char const* const file = std::getenv("SSL_CERT_FILE"); file && *file)
    {
        if (SSL_CTX_load_verify_file(context, file) == 1)
            return true;
        why = std::string("no usable certificates in ") + file + ", which SSL_CERT_FILE names";
        return false;
    }
    for (char const* const file : system_bundles)
        if (SSL_CTX_load_verify_file(context, file) == 1)
            return true;
    why = "no trusted certificates on this machine: looked at SSL_CERT_FILE";
    for (char const* const file : system_bundles)
        why += std::string(", ") + file;
    why += " (Debian: install ca-certificates)";
    return false;
}

} // namespace

void tls_sessions::put(SSL_SESSION* session)
{
    std::unique_ptr<SSL_SESSION, ssl_deleter> owned(session);
    std::lock_guard const lock(mutex_);
    if (sessions_.size() >= max_sessions_per_host)
        sessions_.erase(sessions_.begin());
    sessions_.push_back(std::move(owned));
}

void tls_sessions::offer(SSL* ssl)
{
    std::lock_guard const lock(mutex_);
    while (!sessions_.empty() && !SSL_SESSION_is_resumable(sessions_.back().get()))
        sessions_.pop_back();
    if (sessions_.empty())
        return;
    SSL_SESSION* const session = sessions_.back().get();
    SSL_set_session(ssl, session);
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
        sessions_.pop_back();
}

tls_context::tls_context(tls_params params) : params_(std::move(params)) {}

bool tls_context::is_same(tls_context const& other) const noexcept
{
    auto const parts = [](tls_params const& p) {
        return std::tie(p.ca_file, p.ca_pem, p.certificate_file, p.private_key_file);
    };
    return parts(params_) == parts(other.params_);
}

bool tls_context::load(std::string& why)
{
    if (context_)
        return true;
    ERR_clear_error();
    std::unique_ptr<SSL_CTX, ssl_deleter> context(SSL_CTX_new(TLS_client_method()));
    if (!context)
    {
        why = tls_error_text(nullptr);
        return false;
    }
    SSL_CTX* const c = context.get();
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(c, 1); // One receive for a record's head and body
    // Many servers close without a close_notify. What a cut leaves out is found by the framing above.
    SSL_CTX_set_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, on_new_session);
    static constexpr unsigned char alpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(c, alpn, sizeof alpn);

    if (!params_.ca_file.empty() && SSL_CTX_load_verify_file(c, params_.ca_file.c_str()) != 1)
    {
        why = "no usable certificates in " + params_.ca_file + ": " + tls_error_text(nullptr);
        return false;
    }
    if (!params_.ca_pem.empty() && !add_certificates(c, params_.ca_pem))
    {
        why = "no usable certificate in tls_params::ca_pem";
        return false;
    }
    if (params_.ca_file.empty() && params_.ca_pem.empty() && !load_system_trust(c, why))
        return false;
    if (!params_.certificate_file.empty())
    {
        std::string const& key = params_.private_key_file.empty() ? params_.certificate_file : params_.private_key_file;
        if (SSL_CTX_use_certificate_chain_file(c, params_.certificate_file.c_str()) != 1)
        {
            why = "no usable certificate in " + params_.certificate_file + ": " + tls_error_text(nullptr);
            return false;
        }
        SSL_CTX_set_default_passwd_cb(c, give_no_key_password);
        if (SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(c) != 1)
        {
            why = "no usable private key in " + key + ": " + tls_error_text(nullptr);
            return false;
        }
    }
    ERR_clear_error();
    context_ = std::move(context);
    return true;
}

ssl_ptr tls_context::make_client(origin const& to, std::shared_ptr<tls_sessions> const& sessions, std::string& why)
{
    std::lock_guard const lock(mutex_);
    if (!load(why))
        return {};
    ssl_ptr ssl(SSL_new(context_.get()));
    bool ok = ssl != nullptr;
    if (ok && to.is_ip)
    {
        // No SNI for an address, and it is compared with the certificate's addresses, not with its names.
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), to.host.c_str()) == 1;
    }
    else if (ok)
    {
        SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok =
            SSL_set_tlsext_host_name(ssl.get(), to.host.c_str()) == 1 && SSL_set1_host(ssl.get(), to.host.c_str()) == 1;
    }
    if (!ok || SSL_set_ex_data(ssl.get(), sessions_index(), sessions.get()) != 1)
    {
        why = tls_error_text(nullptr);
        return {};
    }
    SSL_set_connect_state(ssl.get());
    sessions->offer(ssl.get());
    return ssl;
}

std::string tls_error_text(SSL const* ssl)
{
    std::string text;
    if (ssl)
        if (long const verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK)
            text = X509_verify_cert_error_string(verdict);
    unsigned long const code = ERR_get_error();
    if (text.empty() && code != 0)
    {
        char buffer[256];
        ERR_error_string_n(code, buffer, sizeof buffer);
        text = buffer;
    }
    ERR_clear_error();
    return text;
}

} // namespace serin
