// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "gateway/token_set.hpp"

#include "catch.hpp"

#include <vector>

using serin::secret;
using serin::gateway::bearer_token;
using serin::gateway::token_digest;
using serin::gateway::token_set;

TEST_CASE("token_set: knows its tokens, whole, and no other")
{
    std::vector<secret> tokens;
    tokens.emplace_back("first-token");
    tokens.emplace_back("second-token");
    token_set const set(tokens);
    CHECK_FALSE(set.empty());
    CHECK(set.contains("first-token"));
    CHECK(set.contains("second-token"));
    for (char const* const other :
        {"", "first", "first-token ", " first-token", "First-token", "first-tokensecond-token"})
        CHECK_FALSE(set.contains(other));
}

TEST_CASE("token_set: an empty token is none")
{
    CHECK(token_set().empty());
    CHECK_FALSE(token_set().contains(""));
    std::vector<secret> tokens(2);
    token_set const set(tokens);
    CHECK(set.empty());
    CHECK_FALSE(set.contains(""));
}

TEST_CASE("token_set: the digest is SHA-256")
{
    // FIPS 180-4's example "abc".
    auto const digest = token_digest("abc");
    CHECK(digest.front() == 0xba);
    CHECK(digest[1] == 0x78);
    CHECK(digest.back() == 0xad);
}

TEST_CASE("bearer_token: what stands behind the scheme, in any case of its letters")
{
    CHECK(bearer_token("Bearer abc") == "abc");
    CHECK(bearer_token("bearer abc") == "abc");
    CHECK(bearer_token("BEARER   abc") == "abc");
    for (char const* const other :
        {"", "Bearer", "Bearer ", "Bearer    ", "Basic abc", "abc", "Bearerabc", " Bearer abc"})
        CHECK(bearer_token(other).empty());
}
