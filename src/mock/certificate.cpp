// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "certificate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>

namespace serin::mock {
namespace {

constexpr long certificate_day = 24 * 60 * 60;

struct certificate_deleter
{
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(X509* p) const { X509_free(p); }
    void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
};

template <class T>
using certificate_ptr = std::unique_ptr<T, certificate_deleter>;

void certificate_check(bool ok)
{
    if (!ok)
        throw std::runtime_error("OpenSSL could not make a certificate");
}

certificate_ptr<EVP_PKEY> certificate_make_key()
{
    certificate_ptr<EVP_PKEY> key(EVP_EC_gen("P-256"));
    certificate_check(key != nullptr);
    return key;
}

void certificate_extend(X509* certificate, X509* issuer, int nid, std::string const& value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    certificate_ptr<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    certificate_check(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void certificate_set_name(X509* certificate, std::string const& common_name)
{
    X509_NAME* const name = X509_get_subject_name(certificate);
    certificate_check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                          reinterpret_cast<unsigned char const*>(common_name.c_str()), -1, -1, 0) == 1);
}

// An unsigned certificate, valid from now + from to now + until, in seconds.
certificate_ptr<X509> certificate_begin(EVP_PKEY* key, std::string const& common_name, long from, long until)
{
    certificate_ptr<X509> certificate(X509_new());
    unsigned char serial[8];
    certificate_check(certificate && RAND_bytes(serial, sizeof serial) == 1);
    serial[0] &= 0x7f;
    std::uint64_t number = 0;
    for (unsigned char const byte : serial)
        number = number << 8 | byte;
    certificate_check(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
    certificate_check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), number) == 1);
    certificate_check(X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from) != nullptr);
    certificate_check(X509_gmtime_adj(X509_getm_notAfter(certificate.get()), until) != nullptr);
    certificate_check(X509_set_pubkey(certificate.get(), key) == 1);
    certificate_set_name(certificate.get(), common_name);
    return certificate;
}

void certificate_sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key)
{
    certificate_check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    certificate_extend(certificate, issuer, NID_subject_key_identifier, "hash");
    certificate_extend(certificate, issuer, NID_authority_key_identifier, "keyid");
    certificate_check(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
}

std::string certificate_text(BIO* bio)
{
    char* data = nullptr;
    long const size = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

std::string certificate_pem(X509* certificate)
{
    certificate_ptr<BIO> bio(BIO_new(BIO_s_mem()));
    certificate_check(bio && PEM_write_bio_X509(bio.get(), certificate) == 1);
    return certificate_text(bio.get());
}

std::string certificate_key_pem(EVP_PKEY* key)
{
    certificate_ptr<BIO> bio(BIO_new(BIO_s_mem()));
    certificate_check(bio && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return certificate_text(bio.get());
}

} // namespace

certificate_set make_certificates(std::string const& host, bool expired)
{
    certificate_set made;

    auto const ca_key = certificate_make_key();
    auto const ca = certificate_begin(ca_key.get(), "serin mock CA", -30 * certificate_day, 30 * certificate_day);
    certificate_extend(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE");
    certificate_extend(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    certificate_sign(ca.get(), ca.get(), ca_key.get());
    made.ca = certificate_pem(ca.get());

    auto const server_key = certificate_make_key();
    auto const server = certificate_begin(server_key.get(), host.empty() ? "localhost" : host, -10 * certificate_day,
        (expired ? -1 : 10) * certificate_day);
    certificate_extend(server.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
    certificate_extend(server.get(), ca.get(), NID_ext_key_usage, "serverAuth");
    certificate_extend(server.get(), ca.get(), NID_subject_alt_name,
        host.empty() ? "DNS:localhost,IP:127.0.0.1,IP:::1" : "DNS:" + host);
    certificate_sign(server.get(), ca.get(), ca_key.get());
    made.server_certificate = certificate_pem(server.get());
    made.server_key = certificate_key_pem(server_key.get());

    auto const client_key = certificate_make_key();
    auto const client = certificate_begin(client_key.get(), "mock-client", -10 * certificate_day, 10 * certificate_day);
    certificate_extend(client.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
    certificate_extend(client.get(), ca.get(), NID_ext_key_usage, "clientAuth");
    certificate_sign(client.get(), ca.get(), ca_key.get());
    made.client_certificate = certificate_pem(client.get());
    made.client_key = certificate_key_pem(client_key.get());
    return made;
}

} // namespace serin::mock
