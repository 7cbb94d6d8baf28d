// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/secret.hpp>

#include "catch.hpp"

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

using serin::errc;
using serin::scrub;
using serin::secret;

namespace {

template <class T>
concept printable = requires(std::ostream& out, T const& value) { out << value; };

template <class T>
concept comparable = requires(T const& value) { value == value; };

} // namespace

TEST_CASE("secret: cannot be printed or compared by accident")
{
    STATIC_REQUIRE(printable<std::string>);
    STATIC_REQUIRE_FALSE(printable<secret>);
    STATIC_REQUIRE_FALSE(comparable<secret>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<secret, std::string>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<secret, std::string_view>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<char const*, secret>);
}

TEST_CASE("secret: the fingerprint is the start of the key's SHA-256")
{
    // printf abc | sha256sum
    CHECK(secret("abc").fingerprint() == "ba7816bf");
    CHECK(secret("").fingerprint().empty());
    CHECK(secret().fingerprint().empty());
    CHECK(secret().empty());
    CHECK_FALSE(secret("abc").empty());
    CHECK(secret("abc").reveal() == "abc");
}

TEST_CASE("secret: a string that is moved in is wiped")
{
    // Long and short strings live in different places.
    for (std::string key : {std::string("sk-short"), std::string(200, 'k')})
    {
        std::string const copy = key;
        char const* const bytes = key.data();
        std::size_t const size = key.size();
        secret const s(std::move(key));
        CHECK(s.reveal() == copy);
        // NOLINTNEXTLINE(bugprone-use-after-move): what is left of it is the point.
        CHECK(key.empty());
        CHECK(key.data() == bytes);
        CHECK(std::all_of(bytes, bytes + size, [](char c) { return c == 0; }));
    }
}

TEST_CASE("secret: copies are independent, moves leave nothing")
{
    secret a("sk-first");
    secret b(a);
    CHECK(b.reveal() == "sk-first");

    secret c(std::move(a));
    CHECK(c.reveal() == "sk-first");
    CHECK(c.fingerprint() == b.fingerprint());
    // NOLINTNEXTLINE(bugprone-use-after-move)
    CHECK(a.empty());
    CHECK(a.fingerprint().empty());

    a = c;
    CHECK(a.reveal() == "sk-first");
    b = secret("sk-second");
    c = std::move(b);
    CHECK(c.reveal() == "sk-second");
    // NOLINTNEXTLINE(bugprone-use-after-move)
    CHECK(b.empty());

    secret& self = c;
    c = self;
    CHECK(c.reveal() == "sk-second");
    c = std::move(self);
    CHECK(c.reveal() == "sk-second");
}

TEST_CASE("secret: check accepts what can stand in a header")
{
    CHECK_FALSE(secret("sk-proj_ABC.123~!\"#%&/()=").check());
    for (std::string_view bad : {std::string_view(""), std::string_view("a\nb"), std::string_view("a\rb"),
             std::string_view("a\0b", 3), std::string_view("a b"), std::string_view("a\tb"), std::string_view("\x7f"),
             std::string_view("\x80"), std::string_view("k\xc3\xa4y"), std::string_view("key ")})
        CHECK(secret(bad).check() == errc::invalid_key);
}

TEST_CASE("secret: scrub replaces every occurrence")
{
    secret const key("sk-1234567890");
    std::string const mark = "[key " + key.fingerprint() + "]";

    std::string text = "Incorrect API key provided: sk-1234567890. (sk-1234567890)";
    scrub(text, key);
    CHECK(text == "Incorrect API key provided: " + mark + ". (" + mark + ")");

    std::string whole = "sk-1234567890";
    scrub(whole, key);
    CHECK(whole == mark);

    std::string other = "sk-123456789";
    scrub(other, key);
    CHECK(other == "sk-123456789");

    std::string same = "nothing happens";
    scrub(same, secret());
    CHECK(same == "nothing happens");
}

TEST_CASE("secret: scrub ends where the mark holds the key")
{
    // The key is part of its own mark.
    secret const key("k");
    std::string text = "kk";
    scrub(text, key);
    std::string const mark = "[key " + key.fingerprint() + "]";
    CHECK(text == mark + mark);
}
