// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include <serin/core/secret.hpp>

#include "catch.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <version>
#ifdef __cpp_lib_format
#include <format>
#endif

using serin::errc;
using serin::scrub;
using serin::secret;

namespace {

template <class T>
concept printable = requires(std::ostream& out, T const& value) { out << value; };

template <class T>
concept comparable = requires(T const& value) { value == value; };

template <class T>
concept ordered = requires(T const& value) { value < value; };

template <class T>
concept hashable = std::is_default_constructible_v<std::hash<T>>;

// The bytes that an object consists of.
template <class T>
std::string bytes_of(T const& object)
{
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), static_cast<void const*>(std::addressof(object)), sizeof(T));
    return bytes;
}

} // namespace

TEST_CASE("secret: cannot be printed or compared by accident")
{
    STATIC_REQUIRE(printable<std::string>);
    STATIC_REQUIRE_FALSE(printable<secret>);
    STATIC_REQUIRE_FALSE(comparable<secret>);
    STATIC_REQUIRE(ordered<std::string>);
    STATIC_REQUIRE_FALSE(ordered<secret>);
    STATIC_REQUIRE(hashable<std::string>);
    STATIC_REQUIRE_FALSE(hashable<secret>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<std::string, secret>);
    STATIC_REQUIRE_FALSE(std::is_constructible_v<std::string_view, secret>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<secret, bool>);
#ifdef __cpp_lib_format
    STATIC_REQUIRE_FALSE(std::is_default_constructible_v<std::formatter<secret>>);
#endif
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

TEST_CASE("secret: nothing is left in an object that is moved from, assigned to or destroyed")
{
    // So short that it lies within the object, where the test may look afterwards.
    std::string const key = "sk-short-1234";
    secret a{std::string_view(key)};
    REQUIRE(bytes_of(a).find(key) != std::string::npos);
    secret b(std::move(a));
    // NOLINTNEXTLINE(bugprone-use-after-move): what is left of it is the point.
    CHECK(bytes_of(a).find("short") == std::string::npos);
    secret c;
    c = std::move(b);
    // NOLINTNEXTLINE(bugprone-use-after-move)
    CHECK(bytes_of(b).find("short") == std::string::npos);
    c = secret("x");
    CHECK(bytes_of(c).find("short") == std::string::npos);

    alignas(secret) std::array<char, sizeof(secret)> place{};
    auto* const d = new (place.data()) secret(std::string_view(key));
    REQUIRE(bytes_of(place).find(key) != std::string::npos);
    d->~secret();
    CHECK(bytes_of(place).find("short") == std::string::npos);
}

TEST_CASE("secret: what is wrong with a key is told without a part of it")
{
    CHECK(secret("sk-1").problem().empty());
    CHECK(secret().problem() == "is empty");
    CHECK(secret("sk-1\n").problem() == "has a line feed at byte 5 of 5");
    CHECK(secret("\rsk-1").problem() == "has a carriage return at byte 1 of 5");
    CHECK(secret(std::string_view("a\0b", 3)).problem() == "has a NUL at byte 2 of 3");
    CHECK(secret("a b\n").problem() == "has a blank at byte 2 of 4");
    CHECK(secret("a\tb").problem() == "has a tab at byte 2 of 3");
    CHECK(secret("a\x1b").problem() == "has a control byte at byte 2 of 2");
    CHECK(secret("k\xc3\xa4y").problem() == "has a byte that is not ASCII at byte 2 of 4");
    // It and check() agree.
    for (int c = 0; c < 256; ++c)
    {
        secret const s(std::string("k") + static_cast<char>(c));
        CHECK(s.problem().empty() == !s.check());
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

    std::string other = "sk-123456789 is another one";
    scrub(other, key);
    CHECK(other == "sk-123456789 is another one");

    std::string same = "nothing happens";
    scrub(same, secret());
    CHECK(same == "nothing happens");
}

TEST_CASE("secret: scrub replaces the beginning of one where the text is cut off")
{
    secret const key("sk-1234567890");
    std::string const mark = "[key " + key.fingerprint() + "]";

    std::string cut = "provided: sk-12345";
    scrub(cut, key);
    CHECK(cut == "provided: " + mark);

    std::string little = "provided: sk-1234"; // Seven bytes say nothing
    scrub(little, key);
    CHECK(little == "provided: sk-1234");
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
