// SPDX-FileCopyrightText: 2026 the Serin authors
// SPDX-License-Identifier: BSL-1.0

#include "utf8.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
#include <emmintrin.h>
#endif

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

// The position of the first byte from `at` on that is not ASCII, or the size.
std::size_t skip_ascii(std::string_view s, std::size_t at) noexcept
{
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    for (; s.size() - at >= sizeof high_bits; at += sizeof high_bits)
    {
        std::uint64_t word;
        std::memcpy(&word, s.data() + at, sizeof word);
        if ((word & high_bits) != 0)
            break;
    }
    while (at != s.size() && static_cast<unsigned char>(s[at]) < 0x80)
        ++at;
    return at;
}

// The length of the sequence of more than one byte that stands in four bytes, the first one lowest; 0 if there is none.
inline std::size_t utf8_length(std::uint32_t bytes) noexcept
{
    if ((bytes & 0xC0E0) == 0x80C0)
        return (bytes & 0x1E) != 0 ? 2 : 0; // not overlong
    if ((bytes & 0xC0C0F0) == 0x8080E0)
    {
        std::uint32_t const top = bytes & 0x200F; // 0: overlong; 0x200D: a surrogate
        return top != 0 && top != 0x200D ? 3 : 0;
    }
    if ((bytes & 0xC0C0C0F8) == 0x808080F0)
    {
        std::uint32_t const top = (bytes & 7) << 6 | (bytes >> 8 & 0x3F); // The code point without its last twelve bits
        return top >= 0x10 && top <= 0x10F ? 4 : 0;
    }
    return 0;
}

} // namespace

std::size_t valid_utf8_prefix(std::string_view s) noexcept
{
    std::size_t const size = s.size();
    std::size_t at = 0;
    auto const four_bytes = [&s](std::size_t i) {
        std::uint32_t bytes = 0;
        if constexpr (std::endian::native == std::endian::little) // Compilers do not see it in the other form
            std::memcpy(&bytes, s.data() + i, sizeof bytes);
        else
            for (std::size_t k = 0; k < sizeof bytes; ++k)
                bytes |= static_cast<std::uint32_t>(static_cast<unsigned char>(s[i + k])) << (8 * k);
        return bytes;
    };
#if defined(__SSE2__) && !defined(SERIN_NO_SIMD)
    constexpr std::size_t block = sizeof(__m128i);
    while (size - at >= block + 3) // Four bytes can be read wherever a sequence begins
    {
        __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(s.data() + at));
        auto found = static_cast<unsigned>(_mm_movemask_epi8(bytes)); // the top bit of each byte
        std::size_t next = block;
        while (found != 0)
        {
            auto const lead = static_cast<std::size_t>(std::countr_zero(found));
            std::size_t const length = utf8_length(four_bytes(at + lead));
            if (length == 0)
                return at + lead;
            next = lead + length;
            found &= ~0u << next;
        }
        at += std::max(next, block);
    }
#endif
    while ((at = skip_ascii(s, at)) != size)
    {
        std::size_t length = 0;
        if (size - at >= 4)
            length = utf8_length(four_bytes(at));
        else if (auto const sequence = first_utf8_sequence(s.substr(at)); sequence.valid)
            length = sequence.length;
        if (length == 0)
            return at;
        at += length;
    }
    return size;
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
