// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/chat/base64.hpp"

#include "catch.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace {

std::optional<std::string> decoded(std::string_view text)
{
    std::string out = "before";
    return serin::decode_base64(text, out) ? std::optional(out) : std::nullopt;
}

} // namespace

TEST_CASE("base64: the examples of RFC 4648")
{
    CHECK(decoded("") == "");
    CHECK(decoded("Zg==") == "f");
    CHECK(decoded("Zm8=") == "fo");
    CHECK(decoded("Zm9v") == "foo");
    CHECK(decoded("Zm9vYg==") == "foob");
    CHECK(decoded("Zm9vYmE=") == "fooba");
    CHECK(decoded("Zm9vYmFy") == "foobar");
}

TEST_CASE("base64: every byte")
{
    CHECK(decoded("AP+A/n8B") == std::string("\x00\xff\x80\xfe\x7f\x01", 6));
    CHECK(decoded("+/+/") == "\xfb\xff\xbf");
}

TEST_CASE("base64: what is not base64 is refused")
{
    for (char const* text : {"Z", "Zg", "Zm8", "Zm9vY", "Zg=", "=", "==", "====", "Z===", "Zg==Zg==", "Zm=v", "=m9v",
             "Zm9v\n", " Zm9v", "Zm9*", "Zm9-", "Zm_v", "Zm9v=", "Zm9\xc3", "\xff\xff\xff\xff"})
    {
        INFO(text);
        CHECK_FALSE(decoded(text));
    }
    CHECK_FALSE(decoded(std::string_view("Zm9\0", 4)));
}
