// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "../../../src/core/utf8.hpp"

#include "catch.hpp"

#include <cstdint>
#include <string>
#include <string_view>

using serin::is_valid_utf8;
using serin::repair_utf8;
using serin::repaired_utf8;
using serin::valid_utf8_prefix;

namespace {

constexpr char replacement[] = "\xEF\xBF\xBD";

// Every pattern below is looked at with all these numbers of ASCII bytes before and behind it, so that it meets
// every position within a word and within a block.
constexpr std::size_t paddings[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 31, 56, 57, 63, 64, 65, 100};

std::string encode(std::uint32_t code)
{
    auto const tail = [code](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80)
        return {static_cast<char>(code)};
    if (code < 0x800)
        return {static_cast<char>(0xC0 | (code >> 6)), tail(0)};
    if (code < 0x10000)
        return {static_cast<char>(0xE0 | (code >> 12)), tail(6), tail(0)};
    return {static_cast<char>(0xF0 | (code >> 18)), tail(12), tail(6), tail(0)};
}

} // namespace

TEST_CASE("utf8: every code point is valid, every surrogate is not")
{
    std::string all;
    for (std::uint32_t code = 0; code < 0x110000; ++code)
    {
        std::string const bytes = encode(code);
        bool const surrogate = code >= 0xD800 && code < 0xE000;
        // Alone, and where more bytes follow: the two are looked at in different ways.
        if (is_valid_utf8(bytes) == surrogate || is_valid_utf8(bytes + "abc") == surrogate)
            FAIL("code point " << code);
        if (!surrogate)
            all += bytes;
    }
    CHECK(is_valid_utf8(all));
    CHECK(repaired_utf8(all) == all);
}

TEST_CASE("utf8: invalid bytes are replaced by maximal subparts")
{
    struct
    {
        std::string_view bytes;
        std::string_view repaired; // ? stands for U+FFFD
    } const cases[] = {
        {"\x80", "?"},
        {"\xBF\xBF", "??"},
        {"\xFF", "?"},
        {"\xFE\xFE\xFF\xFF", "????"},
        // Overlong forms.
        {"\xC0\xAF", "??"},
        {"\xC1\xBF", "??"},
        {"\xE0\x80\xAF", "???"},
        {"\xE0\x9F\xBF", "???"},
        {"\xF0\x80\x80\xAF", "????"},
        {"\xF0\x8F\xBF\xBF", "????"},
        {"\xF8\x88\x80\x80\x80", "?????"},
        {"\xFC\x84\x80\x80\x80\x80", "??????"},
        // Surrogates.
        {"\xED\xA0\x80", "???"},
        {"\xED\xBF\xBF", "???"},
        {"\xED\xA0\xBD\xED\xB8\x80", "??????"},
        // Over U+10FFFF.
        {"\xF4\x90\x80\x80", "????"},
        {"\xF5\x80\x80\x80", "????"},
        // Cut sequences: one U+FFFD for the longest part.
        {"\xC3", "?"},
        {"\xC3(", "?("},
        {"\xE2\x82", "?"},
        {"\xE2\x82(", "?("},
        {"\xE2(\xA1", "?(?"},
        {"\xF0\x9F\x98", "?"},
        {"\xF0\x9F\x98z", "?z"},
        {"\xF0\x9F", "?"},
        {"\xF0\x9F\xC3\xA9", "?\xC3\xA9"},
        {"\xE2\x82\xE2\x82\xAC", "?\xE2\x82\xAC"},
        {"\xF4\x8F\xBF", "?"},
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
         "A",
            "????"
            "A"},
        {"\xF0\x80\x80\x41", "???A"},
        {"\xC2\xA9\xA9", "\xC2\xA9?"},
    };
    for (auto const& c : cases)
        for (std::size_t const before : paddings)
            for (std::size_t const behind : paddings)
            {
                std::string input = std::string(before, 'a');
                input += c.bytes;
                input += std::string(behind, 'z');
                std::string expected = std::string(before, 'a');
                for (char const byte : c.repaired)
                {
                    if (byte == '?')
                        expected += replacement;
                    else
                        expected += byte;
                }
                expected += std::string(behind, 'z');

                CAPTURE(c.bytes, before, behind);
                std::string const output = repaired_utf8(input);
                if (output != expected || is_valid_utf8(input) || !is_valid_utf8(output))
                    FAIL("repaired to " << output);
                repair_utf8(input);
                if (input != expected)
                    FAIL("repaired in place to " << input);
            }
}

TEST_CASE("utf8: the prefix ends where the invalid sequence begins")
{
    for (std::size_t const before : paddings)
        for (std::string_view const text : {"", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"})
            for (std::string_view const bad : {"\xFF", "\xE2\x82", "\x80", "\xF0\x9F\x98"})
            {
                std::string input = std::string(before, 'x');
                input += text;
                std::size_t const good = input.size();
                input += bad;
                CHECK(valid_utf8_prefix(input) == good);
                input += "behind it, some more ASCII";
                CHECK(valid_utf8_prefix(input) == good);
            }
}

TEST_CASE("utf8: a single bad byte is found at every position")
{
    for (std::size_t size = 1; size < 150; ++size)
        for (std::size_t at = 0; at < size; ++at)
        {
            std::string input(size, 'q');
            input[at] = '\x80';
            if (valid_utf8_prefix(input) != at)
                FAIL("size " << size << ", position " << at);
        }
}

TEST_CASE("utf8: empty text, NUL and noncharacters are valid")
{
    CHECK(is_valid_utf8({}));
    CHECK(repaired_utf8({}).empty());
    CHECK(is_valid_utf8(std::string_view("\0", 1)));
    CHECK(is_valid_utf8("\xEF\xBF\xBE\xEF\xBF\xBF"));
    CHECK(is_valid_utf8("\xEF\xBB\xBF"));

    std::string valid = "h\xC3\xA9";
    char const* const bytes = valid.data();
    repair_utf8(valid);
    CHECK(valid == "h\xC3\xA9");
    CHECK(valid.data() == bytes);
}
