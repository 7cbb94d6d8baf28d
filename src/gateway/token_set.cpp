// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "token_set.hpp"

#include <serin/core/headers.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>

namespace serin::gateway {

std::array<unsigned char, 32> token_digest(std::string_view token)
{
    std::array<unsigned char, 32> digest{};
    EVP_Digest(token.data(), token.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return digest;
}

token_set::token_set(std::vector<secret> const& tokens)
{
    for (secret const& token : tokens)
        if (!token.empty())
            digests_.push_back(token_digest(token.reveal()));
}

bool token_set::contains(std::string_view token) const
{
    if (token.empty())
        return false;
    auto const offered = token_digest(token);
    bool found = false;
    for (auto const& digest : digests_)
        found = (CRYPTO_memcmp(offered.data(), digest.data(), digest.size()) == 0) || found;
    return found;
}

std::string_view bearer_token(std::string_view authorization) noexcept
{
    constexpr std::string_view scheme = "Bearer ";
    if (!header_names_equal(authorization.substr(0, scheme.size()), scheme))
        return {};
    authorization.remove_prefix(scheme.size());
    while (authorization.starts_with(' '))
        authorization.remove_prefix(1);
    return authorization;
}

} // namespace serin::gateway
