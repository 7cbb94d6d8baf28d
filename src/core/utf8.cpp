// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace serin {
namespace {

// What stands at the start of some bytes: a whole character of `length` bytes, or the longest part of one.
struct utf8_sequence
{
    std::size_t length;
    bool valid;
};

// Precondition: s is not empty.
utf8_sequence first_utf8_sequence(std::string_view s) noexcept
{
    auto const lead = static_cast<unsigned char>(s[0]);
    if (lead < 0x80)
        return {1, true};
    if (lead < 0xC2 || lead > 0xF4)
        return {1, false};

    std::size_t const length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    // The second byte is narrower after some leads: this keeps overlong forms, surrogates and values over U+10FFFF out.
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    switch (lead)
    {
    case 0xE0: low = 0xA0; break;
    case 0xED: high = 0x9F; break;
    case 0xF0: low = 0x90; break;
    case 0xF4: high = 0x8F; break;
    }
    for (std::size_t i = 1; i < length; ++i)
    {
        if (i == s.size())
            return {i, false};
        auto const byte = static_cast<unsigned char>(s[i]);
        if (byte < low || byte > high)
            return {i, false};
        low = 0x80;
        high = 0xBF;
    }
    return {length, true};
}

std::uint64_t load_utf8_word(char const* p) noexcept
{
    std::uint64_t w;
    std::memcpy(&w, p, sizeof w);
    return w;
}

} // namespace

std::size_t valid_utf8_prefix(std::string_view s) noexcept
{
    // Whole words of ASCII are passed at once: these bits are set in a word that holds anything else.
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    constexpr std::size_t word = sizeof(std::uint64_t);

    char const* const begin = s.data();
    std::size_t const size = s.size();
    std::size_t i = 0;
    for (;;)
    {
        while (size - i >= 8 * word)
        {
            char const* const p = begin + i;
            std::uint64_t const bits = (load_utf8_word(p) | load_utf8_word(p + word)) |
                                       (load_utf8_word(p + 2 * word) | load_utf8_word(p + 3 * word)) |
                                       (load_utf8_word(p + 4 * word) | load_utf8_word(p + 5 * word)) |
                                       (load_utf8_word(p + 6 * word) | load_utf8_word(p + 7 * word));
            if ((bits & high_bits) != 0)
                break;
            i += 8 * word;
        }
        while (size - i >= word && (load_utf8_word(begin + i) & high_bits) == 0)
            i += word;

        // Fewer bytes than a word are left: look at the last word, though some of it was seen already.
        if (size - i < word && size >= word && (load_utf8_word(begin + size - word) & high_bits) == 0)
            return size;

        // Byte by byte up to the next run of ASCII, or the end.
        for (;;)
        {
            if (i == size)
                return i;
            auto const sequence = first_utf8_sequence(s.substr(i));
            if (!sequence.valid)
                return i;
            bool const was_ascii = sequence.length == 1;
            i += sequence.length;
            if (!was_ascii && size - i >= word && static_cast<unsigned char>(begin[i]) < 0x80)
                break;
        }
    }
}

std::string repaired_utf8(std::string_view s)
{
    std::string out;
    out.reserve(s.size() + 2);
    for (;;)
    {
        std::size_t const valid = valid_utf8_prefix(s);
        out.append(s.substr(0, valid));
        s.remove_prefix(valid);
        if (s.empty())
            return out;
        out.append("\xEF\xBF\xBD");
        s.remove_prefix(first_utf8_sequence(s).length);
    }
}

void repair_utf8(std::string& s)
{
    if (!is_valid_utf8(s))
        s = repaired_utf8(s);
}

} // namespace serin
