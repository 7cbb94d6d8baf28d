// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#ifndef SERIN_SRC_GATEWAY_TOKEN_SET_HPP
#define SERIN_SRC_GATEWAY_TOKEN_SET_HPP

#include <serin/core/secret.hpp>

#include <array>
#include <string_view>
#include <vector>

namespace serin::gateway {

// Stands for a token and tells nothing of it: SHA-256.
std::array<unsigned char, 32> token_digest(std::string_view token);

// Tokens that give access. Keeps digests only; how long a look-up takes says nothing about them.
class token_set
{
    std::vector<std::array<unsigned char, 32>> digests_;

public:
    token_set() {}
    explicit token_set(std::vector<secret> const& tokens);

    bool empty() const noexcept { return digests_.empty(); }
    bool contains(std::string_view token) const;
};

// What stands behind the scheme in `Authorization: Bearer ...`; empty if the field is anything else.
std::string_view bearer_token(std::string_view authorization) noexcept;

} // namespace serin::gateway

#endif
