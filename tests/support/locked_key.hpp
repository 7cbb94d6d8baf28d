// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_TESTS_SUPPORT_LOCKED_KEY_HPP
#define SERIN_TESTS_SUPPORT_LOCKED_KEY_HPP

#include "catch.hpp"

#include <openssl/pem.h>

#include <cstddef>
#include <memory>
#include <string>

// A private key in PEM as one that nobody can read without its password.
inline std::string locked_key(std::string const& key)
{
    using bio_ptr = std::unique_ptr<BIO, int (*)(BIO*)>;
    bio_ptr const in(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), BIO_free);
    std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> const pkey(
        PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    REQUIRE(pkey);
    bio_ptr const out(BIO_new(BIO_s_mem()), BIO_free);
    int const written =
        PEM_write_bio_PKCS8PrivateKey(out.get(), pkey.get(), EVP_aes_128_cbc(), "password", 8, nullptr, nullptr);
    REQUIRE(written == 1);
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
}

#endif
